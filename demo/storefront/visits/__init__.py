"""People who visit the front end, so that what a browser tells of them can be recorded."""
