import unittest

from greet import greet


class GreetTest(unittest.TestCase):
    def test_it_greets(self):
        self.assertEqual(greet("/"), "hello, world\n")
