locals {
  größe  = "äöü${local.grosse}"
  wide   = "日本語" + 1
}
