-- The demo's data: a shop with two regions. clickhouse.rs runs each statement as admin.
-- Everybody may read orders, each person those of one region (the row policies in users.xml);
-- campaigns are for alice alone, salaries for bob alone.

CREATE DATABASE sales;

CREATE DATABASE hr;

CREATE TABLE sales.orders
(
    id UInt32 COMMENT 'Number of the order',
    ordered_on Date COMMENT 'Day of the order',
    region LowCardinality(String) COMMENT 'north or south',
    customer String COMMENT 'Company that ordered',
    product LowCardinality(String) COMMENT 'What was ordered',
    quantity UInt16 COMMENT 'Pieces',
    amount Decimal(10, 2) COMMENT 'Price of the whole order in euros'
)
ENGINE = MergeTree
ORDER BY (region, ordered_on, id)
COMMENT 'Orders of both regions; everyone sees those of their own region';

INSERT INTO sales.orders
WITH
    [('Fjord Outfitters', 'north'), ('Polar Press', 'north'), ('Aurora Cafe', 'north'),
     ('Olive & Sons', 'south'), ('Lagoon Hotels', 'south'), ('Citrus Works', 'south')] AS customers,
    [('Door lock', 49.90), ('Key safe', 89.00), ('Master key', 12.50), ('Door closer', 64.75)] AS products
SELECT
    1000 + number AS id,
    toDate('2026-01-05') + intDiv(number * 5, 7) AS ordered_on,
    customers[1 + (number * 7 + intDiv(number, 6)) % 6].2 AS region,
    customers[1 + (number * 7 + intDiv(number, 6)) % 6].1 AS customer,
    products[1 + (number * 3 + intDiv(number, 4)) % 4].1 AS product,
    1 + (number * 11) % 9 AS quantity,
    toDecimal64(products[1 + (number * 3 + intDiv(number, 4)) % 4].2, 2) * (1 + (number * 11) % 9) AS amount
FROM numbers(240);

CREATE TABLE sales.campaigns
(
    name String COMMENT 'Name of the campaign',
    region LowCardinality(String) COMMENT 'north or south',
    starts_on Date COMMENT 'First day',
    budget Decimal(10, 2) COMMENT 'Planned spending in euros'
)
ENGINE = MergeTree
ORDER BY starts_on
COMMENT 'Planned campaigns, not announced yet';

INSERT INTO sales.campaigns VALUES
    ('Spring locks', 'north', '2026-03-02', 12000),
    ('Keys for hotels', 'south', '2026-05-11', 18500),
    ('Quiet doors', 'north', '2026-09-01', 7400.5);

CREATE VIEW sales.revenue_by_product
AS SELECT product, sum(quantity) AS pieces, sum(amount) AS revenue
FROM sales.orders
WHERE ordered_on >= {since:Date}
GROUP BY product
ORDER BY revenue DESC
COMMENT 'Revenue of each product since a day, of the orders that the reader may see';

CREATE TABLE hr.salaries
(
    employee String COMMENT 'Name',
    position LowCardinality(String) COMMENT 'What the person does',
    salary Decimal(10, 2) COMMENT 'Euros a year',
    since Date COMMENT 'Day on which this salary began'
)
ENGINE = MergeTree
ORDER BY employee
COMMENT 'Salaries of all employees';

INSERT INTO hr.salaries VALUES
    ('Alice Berg', 'Sales, north', 54000, '2024-04-01'),
    ('Bob Costa', 'Personnel', 58500, '2023-01-01'),
    ('Carla Duarte', 'Sales, south', 53200, '2025-07-01'),
    ('Dag Eriksen', 'Warehouse', 41800, '2022-10-01'),
    ('Elif Fischer', 'Engineering', 67300, '2025-01-01');
