"""Summary of the ablation: one row per configuration, averaged over its seeds."""

import pandas as pd


def summarise(found: pd.DataFrame, method: str) -> pd.DataFrame:
    """Mean and standard deviation over the seeds by configuration, and the mean difference to `method`.

    low, high: the 95 % interval of that difference over the videos. found: the rows of table.parquet, one per
    configuration and seed.
    """
    by_seed = found.pivot(index="configuration", columns="seed", values="macro_f1")
    rows = found.groupby("configuration", sort=False)
    return pd.DataFrame(
        {
            "varies": rows["varies"].first(),
            "macro_f1": rows["macro_f1"].mean(),
            "std": rows["macro_f1"].std(),
            "difference": (by_seed - by_seed.loc[method]).mean(axis=1),
            "low": rows["difference_low"].first(),
            "high": rows["difference_high"].first(),
            "unsmoothed": rows["macro_f1_unsmoothed"].mean(),
            "complete": rows["macro_f1_complete"].mean(),
            "padded": rows["macro_f1_padded"].mean(),
            "padded_unsmoothed": rows["macro_f1_padded_unsmoothed"].mean(),
        }
    ).loc[list(rows.groups)]
