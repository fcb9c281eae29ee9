test {
  recording = "readings.json"
}

run "defaults" {
  command = plan

  assert {
    condition     = plan.resources["sysctl.memory"].action == "update"
    error_message = "The memory settings must change."
  }

  assert {
    condition     = plan.resources["sysctl.memory"].after["vm.swappiness"] == "10"
    error_message = "The kernel should swap as a last resort."
  }

  assert {
    condition     = length(plan.activations) == 0 && alltrue([for it in plan.resources : it.reversible])
    error_message = "Nothing may be interrupted, and all of it must be possible to undo."
  }

  assert {
    condition     = contains(plan.resources["sysctl.memory"].advice, "tune::sysctl::dirty_not_sync")
    error_message = "Whoever lowers the dirty limits should know what they do not do."
  }
}

run "already_so" {
  variables {
    swappiness = 60 # as it was found
  }

  assert {
    condition     = plan.resources["sysctl.memory"].items["vm.swappiness"].step == "record"
    error_message = "A value that is right already is recorded, not written."
  }

  assert {
    condition     = output.swappiness == 60 && sysctl.memory.settings["vm.dirty_ratio"] == 5
    error_message = "The variable must reach the output."
  }
}

run "nonsense_is_refused" {
  variables {
    swappiness = 500
  }

  expect_failures = [var.swappiness]
}
