"""Which hosts a service may run on, said in the words of each kind of environment."""
