-- Decimals of the shop's prices, as its bridge reports them. Credit is rounded to them. 2 without a report or without a bridge.
ALTER TABLE account ADD COLUMN shop_price_decimals smallint NOT NULL DEFAULT 2;
ALTER TABLE account ADD CONSTRAINT account_shop_price_decimals_check CHECK (shop_price_decimals BETWEEN 0 AND 6);
