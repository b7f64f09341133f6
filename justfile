# The tests of the core, the tool and the simulations.
fast *ARGS:
    cargo test --no-default-features {{ARGS}}

# Every test.
test *ARGS:
    scripts/test {{ARGS}}

# The programs at work, against a stand-in for AWS.
demo:
    scripts/demo

# The simulated months and weeks with the seeds 1 to N.
seeds N:
    EVERCRED_SEEDS={{N}} cargo test --no-default-features --test it simulation

# Everything that must pass before a change is merged.
check:
    .ci/run
