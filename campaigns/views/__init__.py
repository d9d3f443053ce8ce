"""Pages of the campaigns app: overview, campaigns, composer, reports."""
