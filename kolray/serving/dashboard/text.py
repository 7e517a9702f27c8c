"""Every string the dashboard shows. A language is one more dictionary with the same keys.

Templates call ``t("key", name=value)``. Keys that end in ``_one`` are the singular of the key without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kolray.serving.dashboard import text_campaigns, text_features, text_health, text_reports
from kolray.serving.dashboard.text_vi import VI

EN: Mapping[str, str] = {
    "lang": "en",
    "brand": "kolray",
    "tagline": "Trust and forecasts for influencers",
    "skip": "Skip to the content",
    "nav": "Main",
    "nav_overview": "Overview",
    "nav_kols": "Influencers",
    "nav_alerts": "Alerts",
    "signout": "Sign out",
    "unknown": "–",
    "zone": "Times are {zone}.",
    "help": "What is this?",
    "loading": "Loading …",
    "offline": "Live figures have stopped; the page tries again by itself. What you see may be old.",
    # sign in
    "signin_title": "Sign in",
    "signin_intro": "Use the API token that your administrator gave you.",
    "signin_token": "API token",
    "signin_button": "Sign in",
    "signin_wrong": "This token is not valid. Check that you copied all of it, without spaces, or ask for a new one.",
    "signin_empty": "Enter your API token.",
    # trust
    "trust": "Trust",
    "trust_help": "Trust runs from 0 to 100; higher is more trustworthy. It is the model's chance that the "
    "audience is real. The band is the 95% interval: where the score would likely lie if the model had learnt from "
    "other examples.",
    "trust_ranked_help": "Ranked by the lower end of the interval: whoever is little known does not lead by luck.",
    "trust_high": "Trustworthy",
    "trust_mixed": "Mixed signals",
    "trust_low": "Doubtful",
    "trust_none": "Not scored yet",
    "trust_of": "of 100",
    "trust_desc": "{score} of 100, likely between {lower} and {upper}",
    "trust_desc_bare": "{score} of 100, interval unknown",
    "trust_for": "Trust of {kol}",
    "trust_words_high": "The audience looks real: the model sees a {chance} chance that it is bought.",
    "trust_words_mixed": "Some signs speak against this audience: the model sees a {chance} chance that it is bought.",
    "trust_words_low": "The audience looks bought: the model sees a {chance} chance of it. Check before you sign.",
    "trust_interval_narrow": "The score likely lies between {lower} and {upper}, so this verdict is firm.",
    "trust_interval_wide": "The score likely lies between {lower} and {upper}. The interval crosses into another "
    "verdict: look at its signals before you decide.",
    "trust_interval_none": "No interval is known for this score.",
    "trust_thin": "Little is known of this account yet: do not rely on the interval.",
    "trust_share": "About {share} of its followers are no real audience, likely between {lower} and {upper}.",
    "trust_none_words": "The model has not seen enough of this account. A score appears once features are computed.",
    # overview
    "overview_title": "Overview",
    "tile_kols": "Influencers followed",
    "tile_alerts": "Alerts, last 24 h",
    "tile_windows": "Windows measured",
    "tile_model": "Trust model",
    "tile_updated": "Last update",
    "tile_no_model": "none yet",
    "ago": "{age} ago",
    "most_trusted": "Most trusted",
    "least_trusted": "Least trusted",
    "latest_alerts": "Latest alerts",
    "see_all": "See all",
    "overview_empty_title": "Nothing to show yet",
    "overview_empty": "As soon as the first events arrive, the accounts they are about appear here. Scores follow once "
    "a trust model is trained.",
    # rankings
    "kols_title": "Influencers",
    "kols_lead": "{first}–{last} of {n}, ranked by {by}.",
    "page_before": "Previous page",
    "page_behind": "Next page",
    "pages": "Pages",
    "kols_lead_search": "{n} found for “{q}”.",
    "kols_lead_search_one": "1 found for “{q}”.",
    "by": "Rank by",
    "by_trust": "trust",
    "by_success": "forecast",
    "by_engagement": "engagement",
    "by_success_column": "Forecast, next 24 h",
    "by_success_help": "Likes, comments and shares that the success model expects in the next 24 hours.",
    "by_engagement_column": "Engagement, last 24 h",
    "by_engagement_help": "Likes, comments and shares of the last 24 complete hours.",
    "by_growth": "growth",
    "by_growth_column": "Followers, last 24 h",
    "by_growth_help": "Followers gained in the last 24 complete hours, as a share of those at their start.",
    "platform": "Platform",
    "platform_all": "All platforms",
    "category": "Category",
    "category_all": "All categories",
    "tier": "Size",
    "language": "Language",
    "apply": "Apply",
    "search": "Search",
    "search_label": "Find an influencer",
    "search_placeholder": "Account name…",
    "kol": "Influencer",
    "rank": "Rank",
    "kols_empty_title": "No influencer matches",
    "kols_empty_search": "No account name begins with “{q}”.",
    "kols_empty": "Nobody is ranked by {by} here yet. Try another ranking or all platforms.",
    "clear": "Clear the filters",
    "clear_search": "Back to all influencers",
    # one KOL
    "why_title": "Why this score",
    "why_lead": "The signals that moved the score most. Bars to the right raise trust, to the left lower it.",
    "why_signal": "Signal",
    "why_value": "Value",
    "why_effect": "Effect on trust",
    "why_help": "In log-odds: ±0.7 halves or doubles the odds that the audience is bought.",
    "why_raises": "raises trust by {effect} log-odds",
    "why_lowers": "lowers trust by {effect} log-odds",
    "what_if": "The score would be {score} if {changes}. Changes the creator could make, or contest.",
    "what_if_change": "{label} were {to} instead of {value}",
    "why_empty": "Nothing to explain yet: the account has no score.",
    "chart_title": "Engagement and forecast",
    "chart_lead": "Likes, comments and shares an hour. Dashed: {hours} h from {origin} on, the end of the last whole "
    "hour that is known, with the range that holds 9 times of 10.",
    "chart_lead_history": "Likes, comments and shares an hour. There is no forecast yet.",
    "chart_desc": "Last known hour {last}; highest hour {most}. Forecast total of the next {hours} hours: {total}.",
    "chart_desc_history": "Last known hour {last}; highest hour {most}. No forecast.",
    "chart_expected": "Expected in these {hours} h",
    "chart_best_hour": "Best hour",
    "chart_best_range": "{value}, likely {lower}–{upper}",
    "chart_now": "Last hour",
    "chart_interactions": "interactions",
    "chart_legend_history": "measured",
    "chart_legend_forecast": "forecast",
    "chart_legend_band": "likely range",
    "chart_table": "Show the forecast as a table",
    "chart_hour": "Hour",
    "chart_value": "Expected",
    "chart_range": "Likely range",
    "chart_empty": "No engagement was measured yet, so there is nothing to forecast from.",
    "windows_title": "Live",
    "windows_lead": "The latest measured windows, newest first.",
    "windows_empty": "No window is measured yet. The first appears a few minutes after the first event.",
    "window_start": "From",
    "events": "Events",
    "impressions": "Impressions",
    "likes": "Likes",
    "comments": "Comments",
    "shares": "Shares",
    "engagement_rate": "Engagement rate",
    "engagement_rate_short": "Engagement",
    "engagement_rate_help": "(likes + comments + shares) / impressions",
    "ctr": "Click rate",
    "ctr_help": "clicks / impressions",
    "sentiment_ratio": "Positive comments",
    "sentiment_ratio_short": "Positive",
    "sentiment_ratio_help": "positive / (positive + negative) comments",
    "followers_last": "Followers",
    "spark_desc": "{n} windows, latest {last}",
    "source_title": "Where this comes from",
    "source_online": "Features are live, from the stream.",
    "source_offline": "Features are from the last batch run, not from the stream.",
    "source_other": "Features come from: {source}.",
    "source_none": "No features are computed yet.",
    "source_age": "Computed {age} ago.",
    "source_stale": "They are old: treat the score with care.",
    "source_model": "Scored by {model}.",
    "kol_alerts": "Alerts",
    "kol_alerts_empty": "No alert for this account.",
    # alerts
    "alerts_title": "Alerts",
    "alerts_lead": "What broke with an account's own history, newest first.",
    "alerts_empty_title": "No alerts",
    "alerts_empty": "Nothing unusual was seen. Alerts appear within minutes of the behaviour that causes them.",
    "alert_when": "When",
    "alert_severity": "Severity",
    "alert_what": "What happened",
    "severity_high": "High",
    "severity_warning": "Warning",
    "severity_info": "Info",
    "rule_follower_spike": "Follower spike",
    "rule_engagement_burst_without_reach": "Engagement without reach",
    "rule_click_storm": "Click storm",
    "rule_sentiment_falling": "Sentiment falling",
    "rule_feature_drift": "Features moved since training",
    "rule_score_drift": "Scores moved since training",
    "rule_estimated_auc_drop": "The model tells accounts apart less well",
    "rule_forecasts_fail": "Forecasts do no better than yesterday's values, or miss their intervals",
    "evidence_follower_spike": "{value} more followers in one hour; usual is {own_mean}.",
    "evidence_engagement_burst_without_reach": "{value} of impressions engaged; usual is {own_mean}.",
    "evidence_click_storm": "{value} of impressions clicked; usual is {own_mean}.",
    "evidence_sentiment_falling": "Positive comments fell from {fell_from} to {value}.",
    "evidence_sigmas": "{sigmas} standard deviations over its own history.",
    # errors
    "missing_title": "Page not found",
    "missing": "There is no page at this address.",
    "missing_kol_title": "No such influencer",
    "missing_kol": "There is no account “{kol}”. It may be written differently, or no event of it has arrived yet.",
    "missing_back": "See all influencers",
    "error_title": "The data cannot be reached",
    "error": "The dashboard works, but the store behind it did not answer. Nothing is lost. Try again in a moment; if "
    "it stays, tell your administrator.",
    "error_retry": "Try again",
    "broken_title": "This page could not be made",
    "broken": "An error on our side. It is in the log; tell your administrator if it stays.",
    # names of things
    "platform_facebook": "Facebook",
    "platform_instagram": "Instagram",
    "platform_tiktok": "TikTok",
    "platform_weibo": "Weibo",
    "platform_youtube": "YouTube",
    "category_beauty": "Beauty",
    "category_education": "Education",
    "category_fashion": "Fashion",
    "category_food": "Food",
    "category_games": "Games",
    "category_gaming": "Gaming",
    "category_parenting": "Parenting",
    "category_technology": "Technology",
    "category_travel": "Travel",
    "tier_nano": "Nano",
    "tier_micro": "Micro",
    "tier_macro": "Macro",
    "tier_mega": "Mega",
    "language_en": "English",
    "language_vi": "Vietnamese",
    # units
    "unit_s": "{n} s",
    "unit_min": "{n} min",
    "unit_h": "{n} h",
    "unit_d": "{n} d",
    "unit_days": "{n} days",
    **text_campaigns.EN,
    **text_reports.EN,
    **text_health.EN,
    **text_features.EN,
}

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": EN, "vi": VI}

Translate = Callable[..., str]


def translator(language: str = "en") -> Translate:
    """``t(key, **values)`` in a language; a key that is missing there falls back to English."""
    own = LANGUAGES[language]

    def t(key: str, **values: object) -> str:
        text = own.get(key) or EN[key]
        return text.format(**values) if values else text

    return t


def name_of(t: Translate, kind: str, value: str | None) -> str:
    """A platform's, tier's or rule's name; one the dictionary does not know is shown as it came, readable."""
    if not value:
        return t("unknown")
    key = f"{kind}_{value}"
    return t(key) if key in EN else value.replace("_", " ").capitalize()
