"""What several processes of one parallel program trace together."""
