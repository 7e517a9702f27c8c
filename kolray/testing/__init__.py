"""Doubles and checks for tests of kolray and of what you plug into it. Nothing in the product imports this package.

=============================================  ==================================================================
``clock.FakeClock``                            time that moves only when told; ``sleep`` returns at once
``stream.MemoryLog``, ``stream.MemorySource``  record batches in memory, and a reader of them from given offsets
``stream.MemoryRows``                          window rows and alerts in which an older version never wins
``stream.MemoryTopic``                         published outputs with a broker's fencing and committed number
``stores.MemoryStore``                         a ``MetricsStore`` in memory
``sinks.ListSink``                             a ``RowWriter`` that lists every hand-over with its version
``checks.check_metrics_store``                 what every ``MetricsStore`` must do
``model_checks.check_scorer``                  what every ``Scorer`` must do
``dashboard.FakeDashboardData``                a seeded world of KOLs behind the dashboard's pages
=============================================  ==================================================================
"""
