# Dangers need consent, and consent has one form: a word in `lifecycle.accept`. Without it the plan says what would
# happen and no apply goes on; with it the plan shows every use at the top.
#
# `prevent_revert` is remembered with what was recorded: neither a destroy nor deleting this block puts the originals back
# until it is set to false and applied.

host "db" {
  address = "db-1"
}

resource "sysctl" "shrink" {
  host     = host.db
  settings = { "net.core.somaxconn" = 128 }

  lifecycle {
    accept         = ["decrease"] # 128 is less than what most kernels start with
    prevent_revert = true
  }
}
