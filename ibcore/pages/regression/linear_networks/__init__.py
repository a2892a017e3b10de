"""Linear networks in regression."""
