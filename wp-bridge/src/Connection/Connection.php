<?php
/**
 * A shop's connection.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

/**
 * How this site speaks with its service, and where it was when it was connected. Holds the token and the signing secret: never
 * printed, never in an answer, never in a log.
 */
final class Connection {

	public function __construct(
		/** Base address of the service, without a slash at its end. */
		public readonly string $url,
		public readonly string $account_id,
		#[\SensitiveParameter] public readonly string $token,
		/** 43 characters; the text itself keys the HMAC. */
		#[\SensitiveParameter] public readonly string $bridge_secret,
		/** The site's home address at connecting; another one now means that this may be a copy. */
		public readonly string $home_url,
		/** The environment type at connecting. */
		public readonly string $environment,
		/** Unix seconds. */
		public readonly int $connected_at,
		/** What the service calls the account; shown to the merchant. */
		public readonly string $account_name = '',
		/** Before this time orders are old: never sent by themselves. Stays when a shop connects again. */
		public readonly int $orders_since = 0
	) {}

	/**
	 * From what is stored; null when that is none.
	 *
	 * @param mixed $stored An option's value.
	 */
	public static function from_stored( #[\SensitiveParameter] $stored ): ?self {
		if ( ! is_array( $stored ) ) {
			return null;
		}
		foreach ( array( 'url', 'account_id', 'token', 'bridge_secret', 'home_url', 'environment' ) as $name ) {
			if ( ! isset( $stored[ $name ] ) || ! is_string( $stored[ $name ] ) || '' === $stored[ $name ] ) {
				return null;
			}
		}
		$connected_at = (int) ( $stored['connected_at'] ?? 0 );
		return new self(
			$stored['url'],
			$stored['account_id'],
			$stored['token'],
			$stored['bridge_secret'],
			$stored['home_url'],
			$stored['environment'],
			$connected_at,
			(string) ( $stored['account_name'] ?? '' ),
			(int) ( $stored['orders_since'] ?? $connected_at )
		);
	}

	/** @return array<string, int|string> */
	public function to_stored(): array {
		return get_object_vars( $this );
	}

	/** @return array<string, int|string> What var_dump and error handlers may see. */
	public function __debugInfo(): array {
		return array( 'url' => $this->url, 'account_id' => $this->account_id, 'home_url' => $this->home_url );
	}
}
