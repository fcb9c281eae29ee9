locals {
  name = 'elk'
}
