"""The combinations under test."""

from fractions import Fraction

from tests.alignment.generator import Clip

NTSC, FILM = Fraction(30000, 1001), Fraction(24000, 1001)
H264 = "-c:v libx264 -preset ultrafast -bf 3 -b_strategy 0 -pix_fmt yuv420p"
H264_NO_B = "-c:v libx264 -preset ultrafast -bf 0 -pix_fmt yuv420p"
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=3:pools=1"
AV1 = "-c:v libsvtav1 -preset 10 -crf 15 -svtav1-params lp=1 -pix_fmt yuv420p"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 8 -crf 20 -b:v 0 -pix_fmt yuv420p"
MPEG4 = "-c:v mpeg4 -bf 2 -q:v 3"
MPEG4_NO_B = "-c:v mpeg4 -q:v 3"
MJPEG = "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"
MPEG2 = "-c:v mpeg2video -bf 2 -q:v 3"
INTERLACED = H264.replace("ultrafast", "veryfast") + " -flags +ildct+ilme -vf setfield={0} -x264-params {0}=1"
HDR = (
    HEVC.replace("log-level", "colorprim=bt2020:transfer={0}:colormatrix=bt2020nc:log-level")
    + " -vf scale=out_color_matrix=bt709:out_range=tv,format=yuv444p,"
    + "zscale=npl=203:tin=bt709:pin=bt709:min=bt709:rin=limited:t={0}:p=bt2020:m=bt2020nc:r=limited,"
    + "format=yuv420p10le"
)
STAMPS = "-i {source} -bsf"
TO_100_MS, JITTER = '"setts=ts=floor(TS/100)*100"', '"setts=ts=TS+floor(10*random(0))"'
MP3, OPUS, PCM = "-c:a libmp3lame", "-c:a libopus", "-c:a pcm_s16le"
# From 5 to 400 ms apart; 0.9 s without a frame.
UNEVEN_MS = (40, 33, 47, 20, 5, 80, 100, 40, 33, 33, 120, 40, 900, 33, 34, 33, 200, 60, 40, 40, 33, 400, 33, 33, 33)


def turned(name: str, rotation: int, mirrored: bool = False, **settings) -> Clip:
    """A clip whose display matrix turns it."""
    then = f"-display_rotation {rotation}" + " -display_hflip" * mirrored + " -i {source}"
    return Clip(name, H264, rotation=rotation, mirrored=mirrored, then=then, **settings)


CLIPS = (
    # Codecs and containers at several rates.
    Clip("h264.mp4", H264, rate=NTSC),
    Clip("h264_7.5_fps.mp4", H264, rate=Fraction(15, 2)),
    Clip("h264_60_fps.mkv", H264, rate=Fraction(60), audio=OPUS),
    Clip("h264_film.mov", H264, rate=FILM, audio=PCM),
    Clip("h264.flv", H264, rate=Fraction(30)),
    Clip("h264.ts", H264, rate=NTSC),
    Clip("h264.avi", H264, audio=PCM),
    Clip("h264_10_bit.mp4", H264.replace("yuv420p", "yuv420p10le"), rate=Fraction(30)),
    Clip("hevc.mp4", HEVC, rate=FILM),
    Clip("hevc_10_bit.mkv", HEVC + " -pix_fmt yuv420p10le", rate=NTSC, audio="-c:a flac"),
    Clip("hevc.ts", HEVC, audio="-c:a mp2"),
    Clip("mpeg4.avi", MPEG4, rate=NTSC, audio=PCM),
    Clip("mpeg4.mp4", MPEG4, rate=Fraction(15, 2), audio=MP3),
    Clip("mpeg2.ts", "-c:v mpeg2video -bf 2 -q:v 3", audio="-c:a ac3"),
    Clip("vp9.webm", VP9, rate=Fraction(30), audio=OPUS),
    Clip("vp9.mkv", VP9, rate=NTSC, audio="-c:a libvorbis"),
    Clip("av1.mkv", AV1, audio=OPUS),
    Clip("av1.mp4", AV1, rate=FILM),
    Clip("mjpeg.avi", MJPEG, rate=Fraction(15, 2), audio=PCM, hz=8000),
    Clip("mjpeg.mov", MJPEG, rate=Fraction(30), audio=PCM),
    Clip("flv1.flv", "-c:v flv -q:v 3", rate=Fraction(30), audio=MP3, hz=44100),
    Clip("wmv2.wmv", "-c:v wmv2 -q:v 3", audio="-c:a wmav2"),
    Clip("mpeg2.mpg", "-c:v mpeg2video -bf 2 -q:v 3", rate=NTSC, audio="-c:a mp2"),
    Clip("theora.ogv", "-c:v libtheora -q:v 8", rate=Fraction(30), audio="-c:a libvorbis"),
    Clip("fragmented.mp4", H264 + " -movflags frag_keyframe+empty_moov+default_base_moof", rate=NTSC),
    Clip("negative_offsets.mp4", H264 + " -movflags negative_cts_offsets"),
    # Variable rates.
    Clip("uneven.mp4", H264, steps_ms=UNEVEN_MS),
    Clip("uneven.mkv", H264, steps_ms=UNEVEN_MS, audio=OPUS),
    Clip("uneven.webm", VP9, steps_ms=UNEVEN_MS, audio=OPUS),
    Clip("uneven.ts", HEVC, steps_ms=UNEVEN_MS),
    Clip("uneven_b.avi", MPEG4, steps_ms=UNEVEN_MS, audio=PCM),
    Clip("uneven.avi", MPEG4_NO_B, steps_ms=UNEVEN_MS, audio=PCM),
    # Turned and mirrored by the display matrix.
    turned("turned_90.mp4", 90),
    turned("turned_180.mov", 180, audio=PCM),
    turned("turned_270.mp4", 270, rate=NTSC),
    turned("turned_90.mkv", 90),
    turned("mirrored.mp4", 0, mirrored=True),
    turned("turned_90_mirrored.mp4", 90, mirrored=True),
    # Time stamps that do not begin at zero, and edit lists.
    Clip("starts_at_2_s.mp4", H264, starts_s=Fraction(2)),
    Clip("starts_at_2_s.mkv", H264, starts_s=Fraction(2), audio=OPUS),
    Clip("starts_at_2_s.ts", MPEG4, starts_s=Fraction(2), audio=MP3),
    Clip("start_trimmed.mp4", H264 + " -g 50", hidden=12, audio_from_s=-0.48, then="-ss 0.48 -i {source}"),
    Clip("frames_late_by_edit_list.mp4", H264, audio_from_s=-0.32),
    Clip("start_trimmed_b.mp4", H264 + " -g 60", hidden=9, audio_from_s=-0.36, then="-ss 0.36 -i {source}"),
    Clip("start_trimmed.mov", HEVC, hidden=7, audio=PCM, audio_from_s=-0.28, then="-ss 0.28 -i {source}"),
    # Audio that starts or ends at another time than the frames.
    Clip("audio_late.mp4", H264, audio_from_s=0.5),
    Clip("audio_late.mkv", H264, audio_from_s=0.5, audio=OPUS),
    Clip("audio_late.ts", H264, audio_from_s=0.5),
    Clip("audio_late.avi", MPEG4, audio_from_s=0.5, audio=PCM),
    Clip("audio_late.flv", H264, audio_from_s=0.5, audio=MP3, hz=44100),
    Clip("audio_early.mp4", H264, starts_s=Fraction(12, 25), audio_from_s=-0.48),
    Clip("audio_early.mkv", VP9, starts_s=Fraction(12, 25), audio_from_s=-0.48, audio=MP3),
    Clip("audio_ends_early.mp4", H264, audio_to_s=1.3),
    Clip("audio_ends_late.mkv", H264, audio_to_s=3.5, audio=OPUS),
    # Recordings joined with `cat`; the second begins where all streams of the first have ended.
    Clip("joined.ts", H264, joined=True, copy_stamps=False, largest_slip_s=0.04),
    Clip("joined_hevc.ts", HEVC, joined=True, copy_stamps=False, audio="-c:a mp2", largest_slip_s=0.03),
    Clip("joined.vob", MPEG2, joined=True, copy_stamps=False, audio="-c:a mp2", largest_slip_s=0.03),
    # Stamps as recorders write them: several frames with one stamp, and audio by the clock of its arrival.
    Clip("stamps_to_100_ms.webm", VP9, audio=OPUS, then=f"{STAMPS}:v {TO_100_MS}", largest_slip_s=0.021),
    Clip("audio_jitters.webm", VP9, audio=OPUS, then=f"{STAMPS}:a {JITTER}"),
    # Unusual audio.
    Clip("no_audio.mp4", H264, audio=None),
    Clip("silent.mp4", H264, silent=True),
    Clip("silent.mkv", VP9, silent=True, audio=OPUS),
    Clip("right_only.mp4", H264, channels=2),
    Clip("right_only.mkv", MJPEG, channels=2, audio=OPUS),
    Clip("8_khz.mp4", H264, hz=8000, audio="-c:a aac -b:a 32k"),
    Clip("192_khz.mkv", H264, hz=192000, audio=PCM),
    Clip("96_khz.mp4", H264, hz=96000, rate=NTSC),
    Clip("mp3.avi", MPEG4, audio=MP3),
    Clip("mp3_44.1_khz.avi", MPEG4, audio=MP3, hz=44100, rate=NTSC),
    Clip("mp3_22_khz.avi", MPEG4, audio=MP3, hz=22050),
    Clip("mp3_late.avi", MPEG4, audio=MP3, audio_from_s=0.48),
    Clip("mp3_as_ffmpeg_writes.avi", MPEG4_NO_B, audio=MP3, copy_stamps=False),
    Clip("mp3_22_khz_as_ffmpeg_writes.avi", H264_NO_B, audio=MP3, hz=22050, copy_stamps=False),
    Clip("aac_as_ffmpeg_writes.avi", H264_NO_B, rate=Fraction(15), copy_stamps=False),
    Clip("mp2.avi", MPEG4, audio="-c:a mp2", hz=44100),
    Clip("ac3.avi", MPEG4, audio="-c:a ac3"),
    Clip("aac.avi", H264, audio="-c:a aac"),
    Clip("mp3.mkv", MPEG4, audio=MP3, hz=44100),
    Clip("aac.mkv", H264, rate=NTSC, hz=44100),
    # Several streams.
    Clip("cover_first.mp4", H264, cover=True),
    Clip("two_videos.mkv", H264, second_video=True),
    Clip("two_audio_streams.mp4", H264, second_audio=True),
    Clip("all_twice.ts", H264, second_video=True, second_audio=True),
    # Unusual frames.
    Clip("wide_pixels.mp4", H264, pixel_aspect=Fraction(4, 3)),
    Clip("narrow_pixels.mkv", VP9, pixel_aspect=Fraction(10, 11), size=(160, 132), audio=OPUS),
    Clip("full_range.mp4", H264.replace("yuv420p", "yuvj420p")),
    Clip("odd_size.webm", VP9, size=(161, 129), audio=OPUS),
    Clip("odd_size.avi", MJPEG, size=(161, 129), audio=PCM),
    Clip("interlaced.mp4", H264.replace("ultrafast", "veryfast") + " -flags +ildct+ilme -x264-params tff=1"),
    Clip("60_fields_top_first.mp4", INTERLACED.format("tff"), rate=NTSC),
    Clip("60_fields_bottom_first.mkv", INTERLACED.format("bff"), rate=NTSC, audio=OPUS),
    Clip("60_fields.ts", MPEG2 + " -flags +ildct+ilme -vf setfield=tff", rate=NTSC, audio="-c:a mp2"),
    Clip("pq.mp4", HDR.format("smpte2084"), rate=NTSC),
    Clip("hlg.mov", HDR.format("arib-std-b67"), rate=Fraction(30)),
    # Files that break off.
    Clip("breaks_off.ts", H264_NO_B, kept_share=0.7),
    Clip("breaks_off.mkv", MPEG4, audio=PCM, kept_share=0.6),
)
