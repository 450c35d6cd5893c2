"""Settings: flags, variables and syncline.toml into frozen structs."""
