"""Ask by statements that are built once. Django builds them anew each time, which at the busy doors and in the worker
costs more than the database takes to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
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
    datetime: lambda place: datetime(1000, 1, 1, microsecond=place, tzinfo=UTC),
    str: "\x02value{}".format,
    int: lambda place: -0xBA70_0001 - place,
}


class Asked:
    """A query of one shape: what `build` makes, with values of these kinds in the place of its arguments.

    `build` filters by each argument as the only one of a list (`name__in=[value]`), or as it likes where that is always
    asked with a single value; and by nothing else that changes from one time to the next. Rows are those of the open
    workspace, unless `outside`: then whoever asks has taken the first wall away.
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
        shape = _built(self, _Shape, self)
        with shape.connection.cursor() as cursor:
            cursor.execute(*shape.filled(values))
            return shape.made(cursor.fetchall())


def together(questions: Sequence[tuple[Asked, Sequence[Sequence[Any]]]]) -> list[list[Any]]:
    """Ask several queries of the open workspace by one statement, each with its values; give the rows of each.

    Raises ScopeError where no workspace is open.
    """
    several = tuple(asked for asked, _ in questions)
    return _built(several, _Several, several).rows([values for _, values in questions])


def _built(key: Any, make: Callable[[Any], Any], what: Any) -> Any:
    """What was built of this shape; a connection belongs to its thread, and what is built to its connection."""
    built = connections[DEFAULT_DB_ALIAS].__dict__.setdefault("asked", {})
    if key not in built:
        built[key] = make(what)
    return built[key]


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
            self.added = self.compiler.annotation_col_map
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

    def filled(self, values: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """Give the statement with these values, and what goes into its places."""
        told = [[_told(value) for value in some] for some in values]
        if any(place == self.last for place, _ in self.places):
            workspace = get_scope().get("workspace")
            if workspace is None:
                raise ScopeError("A scope on dimension(s) workspace needs to be active for this query.")
            told.append([_told(workspace)])
        sql, params = self.pieces[0], []
        for (place, always), piece in zip(self.places, self.pieces[1:], strict=True):
            here = [always] if place is None else told[place]
            # Of nothing there is nothing, where it is asked together with others.
            sql += (", ".join(["%s"] * len(here)) or "NULL") + piece
            params += here
        return sql, params

    def made(self, found: Any) -> list[Any]:
        """Make of the database's rows what was asked for."""
        if self.converters:
            found = self.compiler.apply_converters(found, self.converters)
        return [self._instance(row) for row in found] if self.model is not None else [tuple(row) for row in found]

    def types(self) -> list[str]:
        """The type of each column without its length; for SQLite, whose columns hold any, they are all one."""
        if settings.SQLITE:
            return ["blob"] * len(self.compiler.select)
        fields = [column.output_field for column, *_ in self.compiler.select]
        return [str(field.cast_db_type(self.connection)).partition("(")[0] for field in fields]

    def _instance(self, row: Sequence[Any]) -> models.Model:
        """Make a model of a row as a queryset does."""
        one: models.Model = self.model.from_db(DEFAULT_DB_ALIAS, self.names, row[self.own])
        for populator in self.related:
            populator.populate(row, one)
        for name, place in self.added.items():
            setattr(one, name, row[place])
        return one


class _Several:
    """One statement for several: each is named before, and their rows stand below each other, told apart by a number.

    Columns of one type share a place. A first part without rows says the types, which a blank alone would not.
    """

    def __init__(self, several: Sequence[Asked]) -> None:
        self.shapes: list[Any] = [_built(asked, _Shape, asked) for asked in several]
        found = [shape.types() for shape in self.shapes]
        kinds = {kind for types in found for kind in types}
        slots = [kind for kind in sorted(kinds) for _ in range(max(types.count(kind) for types in found))]
        self.places: list[list[int]] = []
        parts = ["SELECT -1" + "".join(f", CAST(NULL AS {kind})" for kind in slots) + " WHERE 1 = 0"]
        for number, types in enumerate(found):
            free = {kind: slots.index(kind) for kind in kinds}
            columns = ["NULL"] * len(slots)
            places = []
            for column, kind in enumerate(types):
                columns[free[kind]] = f"c{column}"
                places.append(free[kind] + 1)
                free[kind] += 1
            self.places.append(places)
            parts.append(f"SELECT {', '.join([str(number), *columns])} FROM q{number}")  # noqa: S608
        self.names = [
            f"q{number}({', '.join(f'c{column}' for column in range(len(types)))})"
            for number, types in enumerate(found)
        ]
        self.end = " UNION ALL ".join(parts)

    def rows(self, several: Sequence[Sequence[Sequence[Any]]]) -> list[list[Any]]:
        asked, params = [], []
        for name, shape, values in zip(self.names, self.shapes, several, strict=True):
            sql, here = shape.filled(values)
            asked.append(f"{name} AS ({sql})")
            params += here
        found: list[list[Any]] = [[] for _ in self.shapes]
        with self.shapes[0].connection.cursor() as cursor:
            cursor.execute(f"WITH {', '.join(asked)} {self.end}", params)
            for row in cursor.fetchall():
                found[row[0]].append([row[place] for place in self.places[row[0]]])
        return [shape.made(rows) for shape, rows in zip(self.shapes, found, strict=True)]


def _told(value: Any) -> Any:
    if settings.SQLITE and type(value) is UUID:
        return value.hex
    return connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value(value) if type(value) is datetime else value
