"""Runs without a component: `componentize-py -d wit -w strategy bindings .`, then `python -m unittest test_strategy`."""

import unittest

from bellwether import story
from strategy import {{Type}}


class Tests(unittest.TestCase):
    def test_it_is_long_while_prices_rise_and_flat_when_they_fall(self):
        self.assertEqual(story({{Type}}, "100 101 102 99", fast=1, slow=2), "2:long 3:long 4:flat")

    def test_it_goes_on_from_its_state(self):
        self.assertEqual(story({{Type}}, "100 101 102 99", fast=1, slow=2, restarts=True), "2:long 3:long 4:flat")
