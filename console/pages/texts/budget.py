"""Texts of the alert budget's page."""

from __future__ import annotations

from console.pages.texts.forms import FORMS

BUDGET = {
    "title": "Alert budget",
    "load": "Alerts an hour",
    "wanted": "of {most} wanted",
    "no_wanted": "no limit is set",
    "nuisance": "False or nuisance",
    "of_answered": "of {count} answered",
    "span": "Looked at",
    "span_value": "{hours} h",
    "span_note": "up to now",
    "answers": "Answers",
    "answers_note": "{share} of the alerts",
    "no_budget": "No limit is set",
    "no_budget_hint": "Say above how many alerts an hour you want, of the site, of rules or of cameras. Then thresholds"
    " are suggested here.",
    "no_budget_told": "A supervisor of all cameras can say how many alerts an hour are wanted.",
    "over_time": "Alerts an hour and nuisance over time",
    "series_share": "False or nuisance, of answered (%)",
    "begin": "Begin",
    "unmet": "No thresholds hold this budget: {names}. Change the rules themselves, or the budget.",
    "site": "site",
    "silenced": "{count} of these alerts are no load: what comes again like them is silenced by an answer.",
    "suggestions": "Suggested thresholds",
    "suggestions_hint": "Each past alert is weighed by what operators said of it, or by the answers to those most"
    " like it. A threshold can only be raised in hindsight: what was below it was never told.",
    "none": "Nothing better is known: the rules are as they should be for this budget.",
    "min_confidence": "least confidence",
    "after_s": "for how long (s)",
    "cooldown_s": "pause between incidents (s)",
    "change": "{name} {before} → {after}",
    "load_change": "{before} → {after} alerts an hour",
    "lost": "{kept} of {all} true alarms stay, {lost} would have been lost",
    "spared": "{spared} of {all} unwanted ones would have been spared",
    "apply": "Apply",
    "apply_to": "Apply to {rule}",
    "applied": "{rule} has its new thresholds; they are in force half a second from now",
    "may_not": "A supervisor of all cameras can apply suggestions.",
    "by_rule": "Load by rule",
    "by_camera": "Load by camera",
    "rule": "Rule",
    "camera": "Camera",
    "an_hour": "An hour",
    "budget": "Wanted",
    "share": "False or nuisance",
    "over": "over",
    "series_true": "True",
    "series_unwanted": "False or nuisance",
    "series_none": "Not answered",
    "series_budget": "Wanted",
    "nothing": "No alerts in this time.",
    "note": "alert budget: {load} alerts an hour instead of {before}",
}

BUDGETING = FORMS | {
    "edit_title": "Wanted alerts an hour",
    "edit_hint": "A budget withholds nothing: load is shown against it, and thresholds that hold it are suggested.",
    "field_alerts_per_hour": "Of the whole site",
    "field_rules": "Of rules",
    "field_cameras": "Of cameras",
    "field_days": "Look at the last (days)",
    "field_nuisance_cost": "What an unwanted alert costs (in true alarms)",
    "hint_nuisance_cost": "0.1: ten unwanted ones are as bad as one true alarm that is missed.",
}
