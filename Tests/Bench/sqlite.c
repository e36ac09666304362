// The limit of the process table: what SQLite allows when a row costs the same two updates and nothing else is done.
//
//   sqlite insert DATABASE COUNT BYTES BATCH   inserts rows, so many a transaction
//   sqlite update DATABASE BATCH               marks every row as running and then as done, so many a transaction
//
// The database is one of `smsq table init`, so that table, index and page size are the same on both sides, and so are the
// journal (WAL, which the file remembers), synchronous = FULL, BEGIN IMMEDIATE, and when it waits for the disk: a
// transaction of `update` records what the one before claimed, and claims the next rows, as a run of `smsq cron` does. It
// knows the rows' ids beforehand, reads nothing, and hands no row to anybody.
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3 *database;

static void fail(const char *what) {
    fprintf(stderr, "sqlite: %s\n", what);
    exit(1);
}

static void run(const char *sql) {
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) fail(sqlite3_errmsg(database));
}

static sqlite3_stmt *prepared(const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        fail(sqlite3_errmsg(database));
    return statement;
}

static long number(const char *sql) {
    sqlite3_stmt *statement = prepared(sql);
    if (sqlite3_step(statement) != SQLITE_ROW) fail(sqlite3_errmsg(database));
    long value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void step(sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) fail(sqlite3_errmsg(database));
    if (sqlite3_changes(database) != 1) fail("a statement changed no row, or more than one");
    sqlite3_reset(statement);
}

static void insert(long count, int bytes, long batch) {
    sqlite3_stmt *statement = prepared("INSERT INTO process (action, parameters, idempotency_key) VALUES ('send', ?, ?)");
    char *parameters = malloc(bytes + 100), key[37];
    if (!parameters) fail("out of memory");
    for (long done = 0; done < count;) {
        run("BEGIN IMMEDIATE");
        for (long end = done + batch; done < end && done < count; done++) {
            int used = sprintf(parameters, "{\"to\":\"+861380%07ld\",\"text\":\"", done % 10000000);
            for (; used < bytes - 2; used++) parameters[used] = 'x';
            used += sprintf(parameters + used, "\"}");
            // As long as a UUID, and as little in order.
            sprintf(key, "%08lx-0000-4000-8000-%012lx", done * 2654435761 % 0x100000000, done);
            sqlite3_bind_text(statement, 1, parameters, used, SQLITE_STATIC);
            sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
            step(statement);
        }
        run("COMMIT");
    }
    sqlite3_finalize(statement);
    free(parameters);
}

static void update(long batch) {
    const char *owner = "12345-01234567-89ab-cdef-0123-456789abcdef";
    sqlite3_stmt *claim = prepared(
        "UPDATE process SET state = 'running', owner = ?2, lease_until = 1800000000000, started_at = 1800000000000, "
        "attempts = attempts + 1 WHERE id = ?1");
    sqlite3_stmt *record = prepared(
        "UPDATE process SET state = 'done', finished_at = 1800000000000, owner = NULL, lease_until = NULL WHERE id = ?1");
    long last = number("SELECT max(id) FROM process");
    for (long next = 1, held = 0; next <= last || held > 0;) {
        run("BEGIN IMMEDIATE");
        for (; held > 0; held--) {
            sqlite3_bind_int64(record, 1, next - held);
            step(record);
        }
        for (; held < batch && next <= last; held++, next++) {
            sqlite3_bind_int64(claim, 1, next);
            sqlite3_bind_text(claim, 2, owner, -1, SQLITE_STATIC);
            step(claim);
        }
        run("COMMIT");
    }
    sqlite3_finalize(claim);
    sqlite3_finalize(record);
}

int main(int argc, char **argv) {
    if (argc < 4) fail("usage: see sqlite.c");
    if (sqlite3_open_v2(argv[2], &database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) fail(sqlite3_errmsg(database));
    run("PRAGMA synchronous = FULL");
    if (!strcmp(argv[1], "insert") && argc == 6) insert(atol(argv[3]), atoi(argv[4]), atol(argv[5]));
    else if (!strcmp(argv[1], "update") && argc == 4) update(atol(argv[3]));
    else fail("usage: see sqlite.c");
    sqlite3_close(database);
    return 0;
}
