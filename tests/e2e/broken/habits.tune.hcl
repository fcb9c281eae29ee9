locals {
  on   = True
  none = NULL
}
