"""The whole story on one machine: a stand-in for Rancher's server, and two hosts that start their agents."""
