<?php
/**
 * Where the connection is kept.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Clock;


/**
 * Options of the present site, none of them autoloaded: alloptions is printed by too many tools.
 *
 * While a connect is under way the new secret stands beside the old one: the service calls back `status`, signed with the new
 * secret, before it answers; everything else still is signed with the old.
 */
final class ConnectionStore {

	public const CONNECTION = 'tillsync_bridge_connection';

	/** Autoloaded, "1" while a connection is stored: the order hook may not even read an option by a query. */
	public const ACTIVE = 'tillsync_bridge_active';

	private const PENDING = 'tillsync_bridge_pending';
	private const COPY    = 'tillsync_bridge_copy';

	/** ConnectShop's timeout and some more. */
	private const PENDING_SECONDS = 120;

	public function __construct( private readonly Clock $clock ) {}

	/** As stored. TILLSYNC_CONNECT wins over the stored address, account and token. */
	public function current(): ?Connection {
		$stored = Connection::from_stored( get_option( self::CONNECTION ) );
		if ( null === $stored || null === $this->constant() ) {
			return $stored;
		}
		try {
			$given = ConnectString::parse( $this->constant() );
		} catch ( ConnectError $error ) {
			// A broken constant is told on the settings screen; what worked goes on working.
			return $stored;
		}
		// Another account has not been introduced to this shop's secret yet: that takes a connect of its own.
		return $given->account_id !== $stored->account_id ? null : new Connection(
			$given->url,
			$given->account_id,
			$given->token,
			$stored->bridge_secret,
			$stored->home_url,
			$stored->environment,
			$stored->connected_at,
			$stored->account_name,
			$stored->orders_since
		);
	}

	public function is_connected(): bool {
		return null !== $this->current();
	}

	/** The connect string of wp-config.php; null: none. */
	public function constant(): ?string {
		$value = defined( 'TILLSYNC_CONNECT' ) ? constant( 'TILLSYNC_CONNECT' ) : '';
		return is_string( $value ) && '' !== trim( $value ) ? $value : null;
	}

	public function save( Connection $connection ): void {
		update_option( self::CONNECTION, $connection->to_stored(), false );
		update_option( self::ACTIVE, '1', true );
		delete_option( self::COPY );
	}

	public function forget(): void {
		delete_option( self::CONNECTION );
		update_option( self::ACTIVE, '', true );
		delete_option( self::PENDING );
	}

	/** A connect begins: `status` may be signed with this secret too, for two minutes. */
	public function begin( #[\SensitiveParameter] string $secret ): void {
		$until = $this->clock->now() + self::PENDING_SECONDS;
		update_option( self::PENDING, array( 'secret' => $secret, 'until' => $until ), false );
	}

	public function end(): void {
		delete_option( self::PENDING );
	}

	/** The secret of a connect under way; null: none. */
	public function pending_secret(): ?string {
		$pending = get_option( self::PENDING );
		if ( ! is_array( $pending ) || ! is_string( $pending['secret'] ?? null ) ) {
			return null;
		}
		// invariant: pending-secrets-expire
		return $this->clock->now() <= (int) ( $pending['until'] ?? 0 ) ? $pending['secret'] : null;
	}

	/** The merchant says that this site is a copy: it forgets the connection, which belongs to the original. */
	public function mark_as_copy( string $of_home_url ): void {
		$this->forget();
		update_option( self::COPY, array( 'of' => $of_home_url, 'home_url' => SiteIdentity::home_url() ), false );
	}

	/** The home address this site was said to be a copy of; null: it was not. */
	public function copy_of(): ?string {
		$copy = get_option( self::COPY );
		return is_array( $copy ) && SiteIdentity::home_url() === ( $copy['home_url'] ?? '' ) ? (string) ( $copy['of'] ?? '' ) : null;
	}
}
