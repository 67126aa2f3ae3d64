"""What NetBox and Nautobot share of Django REST framework: plain functions and tables.

- ``reply``: ``Reply`` (status, JSON to be, headers) and ``render`` to bytes.
- ``accept``: ``accepted(request)``, the media type, indent and version that a request asks for.
- ``credential``: ``token_of(authorization)``, the text behind ``Authorization: Token``.
- ``data``: ``read_data(request, limit, parses)``, a body as JSON or as a form.
- ``fields``: checks of single values, and ``Reader``, which takes them out of an object and keeps
  what is wrong with them.
- ``times``: moments as they are written and read.
- ``links``: ``origin(request, service)`` and ``absolute``, what URLs in answers begin with.
- ``pages``: ``Page``, limit and offset, with the links to its neighbours.
- ``filters``: tables of what a query may select and sort by, and their use.
- ``bulk``: bodies that are lists, with errors parallel to them.
- ``metadata``: the answer to OPTIONS.
- ``refusal``: what may be raised on the way, and ``reply_to`` every error there is.

Nothing here knows a product, a path or a user; nothing keeps anything between two requests.
"""
