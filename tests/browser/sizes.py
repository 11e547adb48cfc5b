"""The screens that pages are looked at on: width and height in pixels."""

PHONE, DESK = (375, 812), (1280, 900)
