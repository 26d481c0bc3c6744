-- Decimals of the shop's prices, as its bridge says: credit is rounded to them. 2 where it does not say, and for a shop without a bridge.
ALTER TABLE account ADD COLUMN shop_price_decimals smallint NOT NULL DEFAULT 2 CHECK (shop_price_decimals BETWEEN 0 AND 6);
