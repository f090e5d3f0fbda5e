SELECT * FROM numbers(10)
SELECT * FROM NUMBERS(10)
SELECT * FROM `numbers`(10)
SELECT * FROM numbers_mt(10), zeros(3) AS z
SELECT * FROM VALUES('a UInt8', 1)
SELECT * FROM (VALUES (1, url('x')))
SELECT * FROM view(SELECT 1)
SELECT * FROM merge('db', '^t')
SELECT * FROM loop(numbers(3)) LIMIT 5
SELECT * FROM loop(db, t) LIMIT 5
SELECT * FROM generateRandom('a UInt8') LIMIT 1
SELECT * FROM generateSeries(1, 3)
SELECT * FROM dictionary('d')
SELECT * FROM format(CSV, '1')
SELECT * FROM viewIfPermitted(SELECT 1 ELSE null('x UInt8'))
SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))
SELECT * FROM mergeTreeIndex('db', 't')
SELECT * FROM timeSeriesData('db', 't')
SELECT * FROM db.view_with_parameters(a = 1)
SELECT * FROM `db`.`view_with_parameters`(a = {a:UInt8})
SELECT * FROM t, db.v(a = 1) AS v
SELECT url('x')
SELECT domain(url), path(url) FROM t
SELECT a, remote(b) FROM t
SELECT file, cluster, s3 FROM t
SELECT lower(file), arrayJoin(file) FROM t
SELECT t.file(1) FROM t
SELECT count(file) FROM t WHERE file IN ('a', 'b')
SELECT * FROM file
SELECT * FROM url AS remote, s3
SELECT * FROM t WHERE a IN (toDate('2020-01-01'), f(b))
SELECT * FROM t WHERE a IN tuple(1, 2)
SELECT * FROM t GROUP BY a, url('x') ORDER BY b, url('y') LIMIT 1 BY c, url('z')
SELECT * FROM t PREWHERE f(a) WHERE g(a) HAVING h(a)
SELECT * FROM t ARRAY JOIN range(3) AS x, splitByChar(',', y) AS z
SELECT * FROM t LEFT ARRAY JOIN url(a) AS x
SELECT * FROM t FINAL ARRAY JOIN url(a) AS x
SELECT * FROM t SAMPLE 1 ARRAY JOIN url(a)
SELECT * FROM t ARRAY JOIN a ARRAY JOIN url(b)
SELECT * FROM t AS on ARRAY JOIN url(b)
SELECT * FROM a JOIN b ON f(a.x) = g(b.x) WHERE x, url(y)
SELECT EXTRACT(year FROM toDate('2020-01-01'))
SELECT trim(BOTH 'a' FROM lower('A')), substring('abc' FROM length('a'))
SELECT substring('abc' FROM (length('a')))
SELECT overlay('a' PLACING 'b' FROM length('x'))
SELECT position('a' IN lower('x'))
SELECT 1 IS DISTINCT FROM length('a')
SELECT a IS NOT DISTINCT FROM f(b) FROM t
SELECT f(a) IS DISTINCT FROM g(b) FROM t
SELECT a.* IS DISTINCT FROM g(b) FROM t
SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY f(b) ORDER BY g(c))
FROM t SELECT a, f(b)
FROM t |> SELECT a, f(b) |> WHERE g(a) |> ORDER BY h(a), i(b)
FROM t |> JOIN u ON 1 |> SELECT a, f(b)
WITH f(1) AS a, g(2) AS b SELECT a, b
WITH x AS (SELECT f(1), g(2)) SELECT * FROM x
SELECT * FROM (SELECT f(1), g(2)) AS x (a, b)
SELECT * FROM a UNION ALL SELECT f(1), g(2)
SELECT CASE WHEN a THEN f(1) ELSE g(2) END
SELECT arrayMap(x -> f(x), [1]), arrayMap(lower, ['a'])
SELECT * APPLY(lower) FROM t
SELECT {f:Identifier} FROM {t:Identifier}
SELECT * EXCEPT (a), f(b) FROM t
SHOW TABLES LIKE 'url(%'
DESCRIBE t
DESCRIBE TABLE db.t
DESCRIBE (SELECT f(1), g(2))
EXPLAIN SELECT f(1), g(2)
INSERT INTO t (a, b) SELECT f(1), g(2)
INSERT INTO url (a) VALUES ('url(1)')
INSERT INTO FUNCTION null('x UInt8') SELECT 1
INSERT INTO t SELECT * FROM input('a UInt8')
INSERT INTO t VALUES (now(), toDate('2020-01-01'), [1, 2], {'a': 1})
CREATE TABLE url (remote Int8 DEFAULT f(1), file String) ENGINE = MergeTree ORDER BY (f(remote), g(file))
CREATE TABLE t (engine String, source String) ENGINE = Memory
CREATE TABLE t ENGINE = MergeTree ORDER BY a AS SELECT f(1) AS a, g(2) AS engine FROM numbers(3)
CREATE VIEW v AS SELECT engine, f(1) FROM system.tables
CREATE TABLE t AS numbers(3)
CREATE TABLE t AS other ENGINE = Memory
CREATE TABLE t (a Int8) ENGINE = ReplicatedReplacingMergeTree(a) ORDER BY a
CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT())
CREATE DATABASE d ENGINE = Atomic
CREATE FUNCTION f AS (x, y) -> g(x, h(y))
ALTER TABLE t ADD COLUMN a Int8 DEFAULT f(1), ADD INDEX i g(a) TYPE minmax
ALTER TABLE t UPDATE a = f(1), b = g(2) WHERE h(c)
DELETE FROM t WHERE f(a)
SELECT t.join, url('x') FROM t
SELECT a AS join, url('x') FROM t
