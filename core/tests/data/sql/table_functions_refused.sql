SELECT * FROM url('x')
SELECT * FROM URL('x')
SELECT * FROM `url`('x')
SELECT * FROM "url"('x')
SELECT * FROM “url”('x')
SELECT * FROM `\x75rl`('x')
SELECT * FROM/**/url/**/('x')
SELECT * FROM url ('x')
SELECT * FROM remote('h', system.one)
SELECT * FROM REMOTE('h', system.one)
SELECT * FROM remoteSecure('h', system.one)
SELECT * FROM cluster('c', system.one)
SELECT * FROM clusterAllReplicas('c', system.one)
SELECT * FROM s3('x')
SELECT * FROM s3Cluster('c', 'x')
SELECT * FROM gcs('x')
SELECT * FROM azureBlobStorage('x')
SELECT * FROM hdfs('x')
SELECT * FROM deltaLakeLocal('x')
SELECT * FROM icebergLocal('x')
SELECT * FROM mysql('x')
SELECT * FROM postgresql('x')
SELECT * FROM mongodb('x')
SELECT * FROM redis('x')
SELECT * FROM sqlite('x')
SELECT * FROM odbc('x')
SELECT * FROM jdbc('x')
SELECT * FROM executable('x')
SELECT * FROM python('x')
SELECT * FROM ytsaurus('x')
SELECT * FROM arrowFlight('x')
SELECT * FROM filesystem('x')
SELECT * FROM EVAL('SELECT 1')
SELECT * FROM eval('SELECT 1')
SELECT * FROM a_function_of_tomorrow(1)
SELECT * FROM mergeTreeAnalyzeIndexesUUID('x')
SELECT * FROM system.one a, url('x') b
SELECT * FROM system.one AS where, url('x') u
SELECT * FROM system.one interpolate, url('x') u
SELECT * FROM system.one fetch, url('x') u
SELECT * FROM system.one select, url('x') u
SELECT * FROM system.one select FINAL, url('x') u
FROM system.one select FINAL, url('x') u SELECT 1
FROM t select (a), url('x') u SELECT 1
FROM t select STREAM, url('x') u
FROM t select SAMPLE 1, url('x') u
SELECT * FROM t STREAM, url('x') u
SELECT * FROM t COLLATE, url('x') u
SELECT * FROM a AS x(a, b), url('x') u
SELECT * FROM t SAMPLE 1 / 10 OFFSET 1 / 2 JOIN url('x') u ON 1
SELECT * FROM system.one a JOIN system.one b ON a.dummy = b.dummy, url('x') c
SELECT * FROM system.one a JOIN system.one b USING dummy, url('x') c
SELECT * FROM system.one a JOIN system.one b USING (dummy), url('x') c
SELECT * FROM a JOIN b ON a.x IN (SELECT 1 FROM c WHERE d), url('x') u
SELECT * FROM system.one JOIN url('x') u ON 1
SELECT * FROM t x LEFT JOIN url('x') u ON 1
SELECT * FROM a PASTE JOIN url('x') u
SELECT * FROM system.one AS array JOIN url('x') u ON 1
SELECT * FROM array JOIN url('x') u ON 1
SELECT * FROM t, array JOIN url('x') u ON 1
SELECT * FROM t ARRAY JOIN array JOIN url('x') u ON 1
SELECT * FROM t `array` JOIN url('x') u ON 1
SELECT * FROM a JOIN b ON array JOIN url('x') ON 1
SELECT * FROM a JOIN b USING array JOIN url('x') u ON 1
SELECT * FROM a JOIN b ON 1 = array JOIN url('x') u ON 1
SELECT * FROM a JOIN b ON x AND array JOIN url('x') u ON 1
SELECT * FROM a JOIN b ON NOT array JOIN url('x') u ON 1
SELECT * FROM a ARRAY JOIN 1 + array JOIN url('x') u ON 1
SELECT * FROM t ARRAY JOIN x JOIN url('x') u ON 1
SELECT * FROM t ARRAY JOIN x LEFT JOIN b ON 1, url('x') u
SELECT * FROM (url('x'), b)
SELECT * FROM (a, url('x'))
SELECT * FROM (a JOIN url('x') ON 1)
SELECT * FROM (a, (b, url('x')))
SELECT * FROM a, (b, url('x')) u
SELECT * FROM a JOIN (b JOIN url('x') ON 1) ON 1
SELECT * FROM ((url('x')))
SELECT * FROM (SELECT 1 FROM url('x'))
SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a, url('x'))
SELECT * FROM (EXPLAIN SELECT * FROM url('x'))
SELECT * FROM view(SELECT * FROM url('x'))
SELECT * FROM view(FROM url('x'))
SELECT * FROM view(WITH 1 AS a FROM url('x') SELECT a)
SELECT * FROM loop(url('x'))
SELECT * FROM loop(loop(url('x')))
SELECT * FROM viewIfPermitted(SELECT 1 ELSE url('x'))
SELECT * FROM viewIfPermitted(SELECT CASE WHEN 1 THEN 2 ELSE 3 END ELSE url('x'))
FROM url('x')
FROM url('x') SELECT *
FROM t |> JOIN url('x') u ON 1
FROM t |> SELECT a |> JOIN b ON 1, url('x')
WITH a AS (SELECT * FROM url('x')) SELECT * FROM a
WITH (SELECT 1 FROM url('x')) AS a SELECT a
WITH 1 AS a FROM url('x') SELECT a
SELECT (SELECT 1 FROM url('x'))
SELECT exists(SELECT 1 FROM url('x'))
SELECT 1 IN (FROM url('x'))
SELECT 1 IN (SELECT * FROM url('x'))
SELECT 1 IN url('x')
SELECT 1 NOT IN (url('x'))
SELECT 1 GLOBAL IN s3Cluster('x')
SELECT * FROM a WHERE b = (SELECT max(c) FROM d, url('x') u)
SELECT 1 UNION ALL SELECT * FROM url('x')
SELECT * FROM a EXCEPT SELECT * FROM b, url('x') u
(SELECT * FROM url('x'))
SELECT is DISTINCT FROM url('x')
SELECT a AS b, is DISTINCT FROM url('x')
SELECT not is DISTINCT FROM url('x')
SELECT x.is DISTINCT FROM url('x')
SELECT a::is DISTINCT FROM url('x')
SELECT all is DISTINCT FROM url('x')
SELECT distinct is DISTINCT FROM url('x')
SELECT DISTINCT ON (a) is DISTINCT FROM url('x')
SELECT TOP 5 is DISTINCT FROM url('x')
SELECT TOP 5 WITH TIES is DISTINCT FROM url('x')
SELECT a AS from, b FROM url('x')
SELECT from FROM url('x')
SELECT extract(day FROM (FROM url('x')))
SELECT substring((SELECT a FROM url('x')) FROM 2)
DESCRIBE url('x')
DESCRIBE TABLE url('x')
DESC `url`('x')
DESC TABLE url('x')
DESCRIBE (SELECT * FROM url('x'))
EXPLAIN SELECT * FROM url('x')
EXPLAIN AST SELECT * FROM url('x')
EXPLAIN PIPELINE graph = 1 SELECT * FROM url('x')
SHOW TABLES WHERE name IN (SELECT * FROM url('x'))
SHOW TABLES FROM a WHERE (SELECT * FROM url('x'))
SHOW COLUMNS FROM t WHERE (SELECT 1 FROM url('x'))
SELECT file('x')
SELECT `file`('x')
SELECT `f\x69le`('x')
SELECT arrayMap(file, ['x'])
SELECT arrayMap((file), ['x'])
SELECT arrayMap(`file`, ['x'])
SELECT arraySort(file, ['x'])
SELECT `arrayMap`(file, ['x'])
SELECT arrayMap({f:Identifier}, ['x'])
SELECT arrayMap(x -> file(x), ['x'])
SELECT * APPLY(file) FROM t
SELECT * APPLY file FROM t
SELECT COLUMNS('a') APPLY(file) FROM t
SELECT * REPLACE(file('x') AS a) FROM t
SELECT aiGenerate('x', map())
SELECT AIGenerate('x', map())
SELECT getClientHTTPHeader('x')
SELECT catboostEvaluate('/m', 1)
INSERT INTO FUNCTION url('x') SELECT 1
INSERT INTO TABLE FUNCTION remote('h', t) VALUES (1)
INSERT INTO TABLE FUNCTION `file`('x') FORMAT CSV 1
INSERT INTO FUNCTION file('x') PARTITION BY format SELECT * FROM url('x')
INSERT INTO t SELECT * FROM url('x')
INSERT INTO t FROM url('x')
INSERT INTO t (SELECT * FROM url('x'))
INSERT INTO t WITH 1 AS a SELECT * FROM url('x')
WITH a AS (SELECT * FROM url('x')) INSERT INTO t SELECT * FROM a
INSERT INTO t VALUES (file('x'))
CREATE TABLE t AS url('x')
CREATE TABLE as AS url('x')
CREATE TABLE t CLONE AS url('x')
CREATE TABLE t ON CLUSTER c AS url('x')
CREATE TABLE t (a Int8) AS url('x')
CREATE TEMPORARY TABLE t AS `url`('x')
CREATE TABLE t ENGINE = Memory AS SELECT * FROM url('x')
CREATE VIEW v AS FROM url('x')
CREATE TABLE t AS (FROM url('x'))
CREATE TABLE t (a Int8 DEFAULT (SELECT 1 FROM url('x'))) ENGINE = Memory
CREATE MATERIALIZED VIEW v TO t AS SELECT * FROM a JOIN url('x') u ON 1
CREATE FUNCTION f AS x -> (SELECT * FROM url('x'))
CREATE FUNCTION f AS (x) -> file(x)
ALTER TABLE t ADD COLUMN a Int8 DEFAULT (SELECT * FROM url('x'))
ALTER TABLE t UPDATE a = (SELECT 1 FROM url('x')) WHERE 1
ALTER TABLE t EXPORT PART 'x' TO TABLE FUNCTION s3('x')
UPDATE t SET a = (SELECT 1 FROM url('x')) WHERE 1
DELETE FROM t WHERE a IN (SELECT * FROM url('x'))
KILL QUERY WHERE query_id IN (SELECT * FROM url('x'))
CREATE TABLE t (a Int8) ENGINE = URL('x')
CREATE TABLE t (a Int8) engine = `URL`('x')
CREATE TABLE t (a Int8) ENGINE URL('x')
CREATE TABLE t (a Int8) /**/ ENGINE /**/ = /**/ S3('x')
CREATE TABLE t AS x ENGINE = Distributed('c', d, t)
CREATE TABLE t AS x ENGINE = Buffer(d, t, 1, 1, 1, 1, 1, 1, 1)
CREATE TABLE t (a Int8) ENGINE = ReplicatedMergeTree('/clickhouse/x', 'r') ORDER BY a
CREATE TABLE t (a Int8) ENGINE = Executable('x', 'y')
CREATE TABLE t (a Int8) ENGINE = EmbeddedRocksDB(0, '/x') PRIMARY KEY a
CREATE TABLE t ENGINE = TimeSeries DATA ENGINE = URL('x')
CREATE TABLE t ENGINE = TimeSeries SAMPLES INNER ENGINE = URL('x')
CREATE TABLE t (a Int8) ENGINE = AnEngineOfTomorrow
CREATE MATERIALIZED VIEW v ENGINE = URL('x') AS SELECT 1
CREATE DATABASE d ENGINE = MySQL('x')
CREATE DATABASE d ENGINE = Filesystem('/')
CREATE DATABASE d ENGINE = Remote('x')
CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 't' USER 'default'))
CREATE DICTIONARY d (a Int8) PRIMARY KEY a LIFETIME(1) LAYOUT(FLAT()) SOURCE(HTTP(URL 'x'))
CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(`HTTP`(URL 'x'))
CREATE OR REPLACE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'x'))
BACKUP TABLE t TO File('x')
BACKUP TABLE t TO S3(nc)
RESTORE TABLE t FROM Disk('a', 'b')
