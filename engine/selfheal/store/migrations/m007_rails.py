"""Pauses, silences, maintenance windows, autonomy, storms; and what rails count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfheal.model import host_name

if TYPE_CHECKING:
    from sqlite_utils import Database


def m007_rails(db: Database) -> None:
    """Pauses, silences, maintenance windows, autonomy, storms; and what rails count."""
    _create_guards(db)
    _name_hosts(db)
    _create_counted(db)
    _count_from_now_on(db)
    _count_what_is_there(db)
    _index_what_is_asked(db)


def _create_guards(db: Database) -> None:
    db.table("pauses").create(
        {
            "id": str,
            "scope": str,
            "name": str,
            "reason": str,
            "who": str,
            "since": float,
            "until": float,
            "ended_at": float,
        },
        pk="id",
    )
    for name in ("silences", "maintenances"):
        db.table(name).create(
            {
                "id": str,
                "matchers": str,
                "starts_at": float,
                "ends_at": float,
                "reason": str,
                "who": str,
                "created_at": float,
            },
            pk="id",
        ).create_index(["ends_at"])
    db.table("autonomy_changes").create(
        {
            "id": str,
            "ruleset": str,
            "rule": str,
            "level": str,
            "written": str,
            "reason": str,
            "who": str,
            "at": float,
            "evidence": str,
        },
        pk="id",
    ).create_index(["rule", "ruleset"])
    db.table("storms").create(
        {
            "id": str,
            "group": str,
            "members": str,
            "began_at": float,
            "calm_since": float,
            "ended_at": float,
            "ended_by": str,
        },
        pk="id",
    ).create_index(["ended_at"])


def _name_hosts(db: Database) -> None:
    """`web1:8080` and `web1:9100` are one host: what is done there is counted together."""
    db.execute("ALTER TABLE healings ADD COLUMN host TEXT NOT NULL DEFAULT ''")
    for row in list(db.query("SELECT id, resource FROM healings")):
        values = (host_name(row["resource"]), row["id"])
        db.execute("UPDATE healings SET host = ? WHERE id = ?", values)


def _create_counted(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE admissions (
            healing_id TEXT PRIMARY KEY REFERENCES healings (id) ON DELETE CASCADE,
            solution TEXT NOT NULL, hosts TEXT NOT NULL, at FLOAT NOT NULL
        )
        """
    )
    db.execute(
        """
        CREATE TABLE rail_attempts (
            attempt_id TEXT PRIMARY KEY REFERENCES attempts (id) ON DELETE CASCADE,
            healing_id TEXT NOT NULL, solution TEXT NOT NULL, target TEXT NOT NULL,
            ruleset TEXT NOT NULL, rule TEXT NOT NULL,
            first_of_healing INTEGER NOT NULL, first_of_solution INTEGER NOT NULL,
            began_at FLOAT NOT NULL, ended_at FLOAT, outcome TEXT
        )
        """
    )
    db.execute(
        """
        CREATE TABLE rail_hosts (
            host TEXT, began_at FLOAT, healing_id TEXT,
            attempt_id TEXT REFERENCES rail_attempts (attempt_id) ON DELETE CASCADE,
            PRIMARY KEY (host, began_at, attempt_id)
        ) WITHOUT ROWID
        """
    )
    db.create_view(
        "rail_running",
        """
        SELECT healings.id, healings.host AS target, coalesce(faults.ruleset, '') AS ruleset,
            coalesce(faults.rule, '') AS rule, coalesce(admissions.solution, '') AS solution,
            coalesce(admissions.hosts, json_array(healings.host)) AS hosts
        FROM healings
        LEFT JOIN faults ON faults.id = healings.fault_id
        LEFT JOIN admissions ON admissions.healing_id = healings.id
        WHERE (healings.state = 'running' OR healings.state = 'queued'
                AND healings.origin = 'operator' AND admissions.healing_id IS NOT NULL)
            AND NOT coalesce(json_extract(healings.options, '$.check'), 0)
        """,
    )


def _count_from_now_on(db: Database) -> None:
    """By triggers: whoever writes an attempt can't forget to count it, nor count it twice.

    What a human stopped says nothing of the solution: it ended neither well nor badly. That it
    could not be rolled back does."""
    db.execute(
        """
        CREATE TRIGGER rail_attempt_begins AFTER INSERT ON attempts
        WHEN NEW.outcome IS NOT 'refused'
        BEGIN
            INSERT INTO rail_attempts
            SELECT NEW.id, healings.id, NEW.solution, healings.host,
                coalesce(faults.ruleset, ''), coalesce(faults.rule, ''),
                NOT EXISTS (SELECT 1 FROM rail_attempts WHERE healing_id = NEW.healing_id),
                NOT EXISTS (SELECT 1 FROM rail_attempts
                    WHERE healing_id = NEW.healing_id AND solution = NEW.solution),
                NEW.started_at, NEW.ended_at, NEW.outcome
            FROM healings LEFT JOIN faults ON faults.id = healings.fault_id
            WHERE healings.id = NEW.healing_id
                AND NOT coalesce(json_extract(healings.options, '$.check'), 0);
            INSERT OR IGNORE INTO rail_hosts
            SELECT reached.value, counted.began_at, counted.healing_id, counted.attempt_id
            FROM rail_attempts AS counted
            LEFT JOIN admissions ON admissions.healing_id = counted.healing_id
            JOIN json_each(CASE WHEN NEW.hosts != '[]' THEN NEW.hosts
                ELSE coalesce(admissions.hosts, json_array(counted.target)) END) AS reached
            WHERE counted.attempt_id = NEW.id;
        END
        """
    )
    db.execute(
        """
        CREATE TRIGGER rail_attempt_ends AFTER UPDATE OF ended_at, outcome ON attempts
        BEGIN
            DELETE FROM rail_attempts WHERE attempt_id = NEW.id AND NEW.outcome = 'refused';
            UPDATE rail_attempts SET ended_at = NEW.ended_at, outcome = CASE
                WHEN NEW.outcome IN ('failed', 'rolled_back') AND EXISTS (SELECT 1 FROM healings
                    WHERE id = NEW.healing_id AND stop_requested != '')
                THEN 'stopped' ELSE NEW.outcome END
            WHERE attempt_id = NEW.id;
        END
        """
    )


def _count_what_is_there(db: Database) -> None:
    db.execute(
        """
        INSERT INTO rail_attempts
        SELECT attempts.id, healings.id, attempts.solution, healings.host,
            coalesce(faults.ruleset, ''), coalesce(faults.rule, ''),
            row_number() OVER (PARTITION BY healings.id ORDER BY attempts.rowid) = 1,
            row_number() OVER (
                PARTITION BY healings.id, attempts.solution ORDER BY attempts.rowid) = 1,
            attempts.started_at, attempts.ended_at, CASE
                WHEN attempts.outcome IN ('failed', 'rolled_back') AND healings.stop_requested != ''
                THEN 'stopped' ELSE attempts.outcome END
        FROM attempts JOIN healings ON healings.id = attempts.healing_id
        LEFT JOIN faults ON faults.id = healings.fault_id
        WHERE attempts.outcome IS NOT 'refused'
            AND NOT coalesce(json_extract(healings.options, '$.check'), 0)
        """
    )
    db.execute(
        "INSERT INTO rail_hosts SELECT target, began_at, healing_id, attempt_id FROM rail_attempts"
    )


def _index_what_is_asked(db: Database) -> None:
    for columns in (
        "healing_id, solution",
        "began_at",
        "target, began_at",
        "target, ended_at",
        "rule, ruleset, began_at",
        "solution, began_at",
        "solution, outcome, ended_at",
    ):
        name = columns.replace(", ", "_")
        db.execute(f"CREATE INDEX rail_attempts_{name} ON rail_attempts ({columns})")
    db.execute(
        "CREATE INDEX rail_attempts_bad ON rail_attempts (solution, ended_at) "
        "WHERE outcome IN ('failed', 'rolled_back', 'rollback_failed')"
    )
    db.execute("CREATE INDEX rail_attempts_open ON rail_attempts (solution) WHERE ended_at IS NULL")
    db.execute("CREATE INDEX rail_hosts_attempt ON rail_hosts (attempt_id)")
    db.execute("CREATE INDEX healings_running ON healings (id) WHERE state = 'running'")
    db.execute(
        "CREATE INDEX healings_unsettled ON healings (host) WHERE outcome = 'rollback_failed'"
    )
    db.execute("CREATE INDEX faults_fingerprint ON faults (fingerprint)")
    db.execute(
        "CREATE INDEX unhealthy_targets ON faults (target, state, last_seen) "
        "WHERE state IN ('open', 'manual')"
    )
