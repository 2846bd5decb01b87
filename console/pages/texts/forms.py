"""Texts of forms that several pages have, and of versions."""

from __future__ import annotations

FORMS = {
    "from_file": "from the file",
    "restored": "Version {version} is in force again",
    "remove": "Remove",
    "versions": "Versions",
    "version": "version",
    "restore": "Restore",
    "was_removed": "Removed",
    "first_version": "First version",
    "always": "always",
    "whole_picture": "whole picture",
    "from": "From",
    "until": "Until",
    "add_period": "Add a period",
    "day_mon": "Mo",
    "day_tue": "Tu",
    "day_wed": "We",
    "day_thu": "Th",
    "day_fri": "Fr",
    "day_sat": "Sa",
    "day_sun": "Su",
    "field_cameras": "Cameras",
    "field_schedule": "When",
    "no_versions": "It is as the configuration file says.",
    "any_number": "any number",
    "edit": "Change",
    "drop": "Drop the changes",
    "setting_saved": "Saved; it is in force now",
}

MISSING = {
    "missing": "Missed something?",
    "missing_title": "What was missed",
    "missing_hint": "Draw a box around what the camera should have reported. It is kept, and the models learn from it.",
    "missing_keys": "Arrows move the box, with Shift they change its size.",
    "missing_box": "Box around what was missed",
    "missing_what": "What it is",
    "missing_send": "Send",
    "missing_done": "Kept: {label}. It teaches the next model",
    "missing_needs": "Draw a box first",
}
