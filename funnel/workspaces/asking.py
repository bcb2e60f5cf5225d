"""Ask by statements that are built once. Django builds them anew each time, which at the busy doors and in the worker
costs more than the database takes to answer. For pages PostgreSQL keeps them too, as long as the connection lasts: a
long one takes it five times longer to plan than to answer."""

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
# What PostgreSQL is told of a value; what words are it finds out by what they are compared with.
TYPES: dict[type, str] = {UUID: "uuid", datetime: "timestamptz", int: "bigint"}


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
        return together([(self, values)])[0]


def together(questions: Sequence[tuple[Asked, Sequence[Sequence[Any]]]]) -> list[list[Any]]:
    """Ask several queries of the open workspace by one statement, each with its values; give the rows of each.

    Raises ScopeError where no workspace is open.
    """
    several = tuple(asked for asked, _ in questions)
    return _built(several, _Statement, several).rows([values for _, values in questions])


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
        # Of the values and, after them, the workspace.
        self.kinds = [*asked.kinds, UUID]
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

    def told(self, values: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Give the values as the database is told them, and after them the open workspace where it is asked for."""
        told = [[_told(value) for value in some] for some in values]
        if any(place == self.last for place, _ in self.places):
            workspace = get_scope().get("workspace")
            if workspace is None:
                raise ScopeError("A scope on dimension(s) workspace needs to be active for this query.")
            told.append([_told(workspace)])
        return told

    def filled(self, told: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """Give the statement for so many values, and what goes into its places."""
        sql = self.pieces[0]
        params: list[Any] = []
        for (place, always), piece in zip(self.places, self.pieces[1:], strict=True):
            here = [always] if place is None else told[place]
            # Of nothing there is nothing, where it is asked together with others.
            sql += (", ".join(["%s"] * len(here)) or "NULL") + piece
            params += here
        return sql, params

    def numbered(self, shape: int, numbers: dict[tuple[int, int, bool], int]) -> tuple[str, list[Any]]:
        """Give the statement for any number of values, each place by its number, and what always stands in others.

        The numbers are by shape, place and whether many may come; new ones are added.
        """
        sql = self.pieces[0]
        params: list[Any] = []
        for (place, always), piece in zip(self.places, self.pieces[1:], strict=True):
            if place is None:
                sql += "%s"
                params.append(always)
            else:
                many = sql.endswith(" IN (")
                number = numbers.setdefault((shape, place, many), len(numbers) + 1)
                sql = f"{sql.removesuffix('IN (')}= ANY (${number}" if many else f"{sql}${number}"
            sql += piece
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


class _Statement:
    """One statement for one query or several: each is named before, and their rows stand below each other, told apart
    by a number.

    Columns of one type share a place. A first part without rows says the types, which a blank alone would not.
    """

    def __init__(self, several: Sequence[Asked]) -> None:
        self.shapes: list[_Shape] = [_built(asked, _Shape, asked) for asked in several]
        self.connection = connections[DEFAULT_DB_ALIAS]
        self.heads, self.end = [""], ""
        if len(several) > 1:
            self._stack()
        # PostgreSQL's name for it, the connection that knows it by that name, and what is filled in there.
        self.name = f"asked_{len(self.connection.__dict__['asked'])}"
        self.known_to: Any = None
        self.numbers: dict[tuple[int, int, bool], int] = {}

    def rows(self, several: Sequence[Sequence[Sequence[Any]]]) -> list[list[Any]]:
        """Give the rows of each query, with its values."""
        told = [shape.told(values) for shape, values in zip(self.shapes, several, strict=True)]
        with self.connection.cursor() as cursor:
            cursor.execute(*(self._kept(told) if settings.KEEP_PLANS else self._spelt(told)))
            rows = cursor.fetchall()
        if len(self.shapes) == 1:
            return [self.shapes[0].made(rows)]
        found: list[list[Any]] = [[] for _ in self.shapes]
        for row in rows:
            found[row[0]].append([row[place] for place in self.places[row[0]]])
        return [shape.made(rows) for shape, rows in zip(self.shapes, found, strict=True)]

    def _stack(self) -> None:
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
        self.heads = [
            f"{', ' if number else 'WITH '}q{number}({', '.join(f'c{column}' for column in range(len(types)))}) AS ("
            for number, types in enumerate(found)
        ]
        self.end = ") " + " UNION ALL ".join(parts)

    def _whole(self, pieces: Sequence[tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
        between = ")" if self.end else ""
        heads = [head if not number else between + head for number, head in enumerate(self.heads)]
        sql = "".join(head + piece for head, (piece, _) in zip(heads, pieces, strict=True))
        return sql + self.end, [value for _, params in pieces for value in params]

    def _spelt(self, told: Sequence[Sequence[Sequence[Any]]]) -> tuple[str, list[Any]]:
        return self._whole([shape.filled(values) for shape, values in zip(self.shapes, told, strict=True)])

    def _kept(self, told: Sequence[Sequence[Sequence[Any]]]) -> tuple[str, list[Any]]:
        """Call what PostgreSQL keeps; where this connection doesn't know it yet, tell it first."""
        if self.known_to is not self.connection.connection:
            self._tell()
        places = ", ".join(["%s"] * len(self.numbers))
        values = [told[at][place] if many else (told[at][place] or [None])[0] for at, place, many in self.numbers]
        return f"EXECUTE {self.name}" + (f" ({places})" if places else ""), values

    def _tell(self) -> None:
        sql, params = self._whole([shape.numbered(one, self.numbers) for one, shape in enumerate(self.shapes)])
        types = [
            "unknown" if kind is str else TYPES[kind] + "[]" * many
            for kind, many in ((self.shapes[shape].kinds[place], many) for shape, place, many in self.numbers)
        ]
        given = f" ({', '.join(types)})" if types else ""
        with self.connection.wrap_database_errors, self.connection.connection.cursor() as cursor:
            cursor.execute(f"PREPARE {self.name}{given} AS {sql}", params)
        self.known_to = self.connection.connection


def _told(value: Any) -> Any:
    if settings.SQLITE and type(value) is UUID:
        return value.hex
    return connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value(value) if type(value) is datetime else value
