address = "app-1"
