<?php
/**
 * Storage of the connection.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Clock;


/**
 * Stores the connection in options of the present site. The options with secrets are not autoloaded, because many tools print alloptions.
 *
 * During a connect the new secret is stored beside the old one. Before the service answers, it calls back `status`, signed with the new
 * secret. All other requests are still signed with the old one.
 */
final class ConnectionStore {

	public const CONNECTION = 'tillsync_bridge_connection';

	/** Autoloaded, "1" while a connection is stored. The order hook must not read an option by a query. */
	public const ACTIVE = 'tillsync_bridge_active';

	private const PENDING = 'tillsync_bridge_pending';
	private const COPY    = 'tillsync_bridge_copy';

	/** ConnectShop's timeout and a margin. */
	private const PENDING_SECONDS = 120;

	public function __construct( private readonly Clock $clock ) {}

	/** Returns the stored connection. The constant TILLSYNC_CONNECT overrides its address, account and token. */
	public function current(): ?Connection {
		$stored = Connection::from_stored( get_option( self::CONNECTION ) );
		if ( null === $stored || null === $this->constant() ) {
			return $stored;
		}
		try {
			$given = ConnectString::parse( $this->constant() );
		} catch ( ConnectError $error ) {
			// The settings screen reports a broken constant. The stored connection stays in use.
			return $stored;
		}
		// Another account does not know this shop's secret. The merchant must connect first.
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

	/** Returns the connect string of wp-config.php, or null. */
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

	/** Stores the secret of a connect that begins. For two minutes `status` may be signed with it too. */
	public function store_pending_secret( #[\SensitiveParameter] string $secret ): void {
		$until = $this->clock->now() + self::PENDING_SECONDS;
		update_option( self::PENDING, array( 'secret' => $secret, 'until' => $until ), false );
	}

	public function drop_pending_secret(): void {
		delete_option( self::PENDING );
	}

	/** Returns the secret of a running connect, or null. */
	public function pending_secret(): ?string {
		$pending = get_option( self::PENDING );
		if ( ! is_array( $pending ) || ! is_string( $pending['secret'] ?? null ) ) {
			return null;
		}
		// invariant: pending-secrets-expire
		return $this->clock->now() <= (int) ( $pending['until'] ?? 0 ) ? $pending['secret'] : null;
	}

	/** Forgets the connection, which belongs to the original site, and records that this site is a copy. */
	public function mark_as_copy( string $of_home_url ): void {
		$this->forget();
		update_option( self::COPY, array( 'of' => $of_home_url, 'home_url' => SiteIdentity::home_url() ), false );
	}

	/** Returns the home address of the original site, or null when this site is not marked as a copy. */
	public function copy_of(): ?string {
		$copy = get_option( self::COPY );
		return is_array( $copy ) && SiteIdentity::home_url() === ( $copy['home_url'] ?? '' ) ? (string) ( $copy['of'] ?? '' ) : null;
	}
}
