<?php
/**
 * The connection to the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

/**
 * Holds the service's address, the credentials, and the site's address and environment at connecting. The token and the signing secret are
 * never printed, never returned in a response and never logged.
 */
final class Connection {

	public function __construct(
		/** Base address of the service, without a slash at its end. */
		public readonly string $url,
		public readonly string $account_id,
		#[\SensitiveParameter] public readonly string $token,
		/** 43 characters. The text itself is the HMAC key. */
		#[\SensitiveParameter] public readonly string $bridge_secret,
		/** The site's home address at connecting. Another address now means that this site may be a copy. */
		public readonly string $home_url,
		/** The site's environment type at connecting. */
		public readonly string $environment,
		/** Unix seconds. */
		public readonly int $connected_at,
		/** The service's name for the account, shown to the merchant. */
		public readonly string $account_name = '',
		/** Unix seconds. The plugin sends orders from before this time only on request. The value stays when a shop connects again. */
		public readonly int $orders_since = 0
	) {}

	/**
	 * Reads a stored connection. Returns null when the value is no complete connection.
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

	/** @return array<string, int|string> Properties that var_dump and error handlers may print. */
	public function __debugInfo(): array {
		return array( 'url' => $this->url, 'account_id' => $this->account_id, 'home_url' => $this->home_url );
	}
}
