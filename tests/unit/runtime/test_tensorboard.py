import struct

from tensorboardX.proto.event_pb2 import Event

from frame_expressions.runtime.tensorboard import TensorBoardLog, tensorboard_folder


def _scalars(folder):
    """(name, step, value) of every scalar in the folder's event files."""
    found = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            found += [(value.tag, event.step, round(value.simple_value, 6)) for value in event.summary.value]
            content = content[16 + length :]
    return found


def test_every_row_is_on_disk_at_once_and_an_earlier_trainings_are_gone(tmp_path):
    folder = tensorboard_folder(tmp_path / "train_stage1.log")
    TensorBoardLog(folder).add({"epoch": 7, "train_loss": 9.0})
    curves = TensorBoardLog(folder)
    curves.add({"epoch": 1, "train_loss": 0.5, "val_macro_f1": 0.25})
    assert _scalars(folder) == [("train_loss", 1, 0.5), ("val_macro_f1", 1, 0.25)]
    curves.add({"epoch": 2, "train_loss": 0.125, "val_macro_f1": 0.5})
    assert _scalars(folder)[2:] == [("train_loss", 2, 0.125), ("val_macro_f1", 2, 0.5)]
