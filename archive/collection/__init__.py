"""From operators' answers to data sets: pictures with what is known of them, in immutable versions. No torch."""
