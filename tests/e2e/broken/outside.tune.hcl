locals {
  text = file("../../../etc/passwd")
  gone = file("nothing.txt")
}
