"""Titles and explanations of the columns of tables that compare strategies."""

from __future__ import annotations

from typing import Any

import streamlit as st


def strategy_columns() -> dict[str, Any]:
    """Column settings for the tables of ``engine.evaluation.compare``."""
    number, whole = st.column_config.NumberColumn, "%d"
    fine, signed = "%.4f", "%+.4f"
    return {
        "strategy": "Strategy",
        "n_seeds": number("Seeds", format=whole),
        "gradient_passes": number("Passes", format="%.0f", help="Gradient passes, mean over runs"),
        "seconds": number("Wall time (s)", format="%.1f", help="Mean over runs"),
        "valid": number("Valid", format=fine, help="Validation mean; orders the rows"),
        "test": number("Test", format=fine, help="Test mean over seeds"),
        "test_low": number("Test low", format=fine, help="95 % t interval over seeds"),
        "test_high": number("Test high", format=fine, help="95 % t interval over seeds"),
        "difference": number("Difference", format=signed, help="Test, paired by seed"),
        "difference_low": number("Seeds low", format=signed, help="95 % t interval over seeds"),
        "difference_high": number("Seeds high", format=signed, help="95 % t interval over seeds"),
        "effect_size": number("Effect over seeds", format="%.2f", help="Cohen's d, paired seeds"),
        "p_value": number("p", format="%.3f", help="Paired t test over seeds, uncorrected"),
        "p_holm": number("p (Holm)", format="%.3f", help="Corrected for all strategies shown"),
        "n_pairs": number("Pairs", format=whole, help="Seeds shared with the baseline"),
        "by_user": number("By user", format=signed, help="Mean of the users' differences"),
        "by_user_low": number("Users low", format=signed, help="95 % bootstrap over users"),
        "by_user_high": number("Users high", format=signed, help="95 % bootstrap over users"),
        "n_users": number("Users", format=whole, help="Users with test items"),
        "note": "Note",
    }
