#!/bin/sh
# Puts back what was on this machine before `tune` changed it. It needs no tune, no network and no other machine:
#
#   sh undo.sh -n    shows what it would do, and changes nothing
#   sh undo.sh       does it
#
# It touches an item only while that holds a value that tune has written; what somebody else has changed since is named
# and left alone. Running it twice does no harm. When everything is back it removes this directory.
#
# Exit code: 0 everything is as it was before tune; 5 something was left alone, see the lines that begin with `conflict`
# or `unknown`; 4 something could not be put back, see the lines that begin with `failed`.

