"""From the spool to the ledger: the steps of the recorder, each in a file of its own."""
