#!/bin/sh
# What the stand-in server hands out under /v1/scripts/TOKEN: where the server is, and the keys to register with.
export CATTLE_REGISTRATION_ACCESS_KEY='registrationToken'
export CATTLE_REGISTRATION_SECRET_KEY='@TOKEN@'
export CATTLE_URL='@URL@'
export RANCHER_URL='@URL@'
