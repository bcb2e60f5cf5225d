"""Ask by statements that are built once. Django builds them anew each time, which at the busy doors and in the worker
costs more than the database takes to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import query
from django_scopes import get_scope, scope
from django_scopes.exceptions import ScopeError

# The types are of a later Django, where it takes one argument more.
populators: Any = query.get_related_populators
# What stands in the statement's place for the workspace, and for each value, until somebody asks.
WORKSPACE = UUID(int=0xBA70_0000)
STANDINS: dict[type, Callable[[int], Any]] = {
    UUID: lambda place: UUID(int=0xBA70_0001 + place),
    str: "\x02value{}".format,
    int: lambda place: -0xBA70_0001 - place,
}


class Asked:
    """A query of one shape: what `build` makes, with values of these kinds in the place of its arguments.

    `build` filters by each argument as the only one of a list (`name__in=[value]`), and by nothing that changes from
    one time to the next. Rows are those of the open workspace, unless `outside`: then whoever asks has taken the first
    wall away.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any]], *kinds: type, outside: bool = False) -> None:
        self.build, self.kinds, self.outside = build, kinds, outside

    def rows(self, *values: Sequence[Any]) -> list[Any]:
        """Give the rows in which each column holds one of its values: what the queryset itself would give.

        Raises ScopeError where no workspace is open, and where the first wall stands that must not.
        """
        if self.outside and get_scope().get("_enabled", True):
            raise ScopeError("This query is asked outside of all workspaces.")
        if not all(values):
            return []
        # A connection belongs to its thread, and what is built to its connection.
        built = connections[DEFAULT_DB_ALIAS].__dict__.setdefault("asked", {})
        shape = built.get(self)
        if shape is None:
            shape = built[self] = _Shape(self)
        return shape.rows(values)


class _Shape:
    """The statement in pieces, what fills the places between them, and how rows become what was asked for."""

    def __init__(self, asked: Asked) -> None:
        standins = [STANDINS[kind](place) for place, kind in enumerate(asked.kinds)]
        with nullcontext() if asked.outside else scope(workspace=WORKSPACE):
            queryset: Any = asked.build(*standins)
        self.connection = connections[DEFAULT_DB_ALIAS]
        self.compiler: Any = queryset.query.get_compiler(connection=self.connection)
        sql, params = self.compiler.as_sql()
        select, info = self.compiler.select, self.compiler.klass_info
        self.converters = self.compiler.get_converters([column[0] for column in select[: self.compiler.col_count]])
        self.model: Any = info["model"] if info and queryset._fields is None else None
        if self.model is not None:
            first, last = info["select_fields"][0], info["select_fields"][-1] + 1
            self.own = slice(first, last)
            self.names = [column[0].target.attname for column in select[self.own]]
            self.related = populators(info, select, DEFAULT_DB_ALIAS)
        self.pieces = sql.split("%s")
        known = {_told(standin): place for place, standin in enumerate([*standins, WORKSPACE])}
        self.last = len(standins)
        # Per place of the statement: the number of the values that go there, or what always stands there.
        self.places = [(known.get(value), value) for value in params]
        found = [place for place, _ in self.places if place is not None]
        if len(self.pieces) != len(params) + 1 or not {*range(self.last)} <= {*found}:
            raise ValueError("This query can't be asked by pieces.")
        if not asked.outside and self.last not in found:
            raise ScopeError("This query isn't kept to a workspace.")

    def rows(self, values: Sequence[Sequence[Any]]) -> list[Any]:
        told = [[_told(value) for value in some] for some in values]
        if any(place == self.last for place, _ in self.places):
            workspace = get_scope().get("workspace")
            if workspace is None:
                raise ScopeError("A scope on dimension(s) workspace needs to be active for this query.")
            told.append([_told(workspace)])
        sql, params = self.pieces[0], []
        for (place, always), piece in zip(self.places, self.pieces[1:], strict=True):
            here = [always] if place is None else told[place]
            sql += ("%s" if len(here) == 1 else ", ".join(["%s"] * len(here))) + piece
            params += here
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params)
            found = cursor.fetchall()
        if self.converters:
            found = self.compiler.apply_converters(found, self.converters)
        return [self._instance(row) for row in found] if self.model is not None else [tuple(row) for row in found]

    def _instance(self, row: Sequence[Any]) -> models.Model:
        """Make a model of a row as a queryset does."""
        one: models.Model = self.model.from_db(DEFAULT_DB_ALIAS, self.names, row[self.own])
        for populator in self.related:
            populator.populate(row, one)
        return one


def _told(value: Any) -> Any:
    return value.hex if settings.SQLITE and type(value) is UUID else value
