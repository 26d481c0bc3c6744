<?php
/**
 * Connect, reconnect and disconnect.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Health\CheckTexts;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Orders\Sweep;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Schema\SchemaUpdater;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Connects the shop to its service and disconnects it. The service calls back `status` before it answers ConnectShop. So the new secret is
 * stored as pending before the call, and replaces the old secret only after the answer.
 */
final class Connector {

	private const TIMEOUT_SECONDS = 60;

	public function __construct(
		private readonly SiteSettings $settings,
		private readonly OutboxPause $pause,
		private readonly SchemaUpdater $schema_updater,
		private readonly Breaker $breaker,
		private readonly Sweep $sweep,
		private readonly AccountChange $account_change,
		private readonly ConnectionStore $connections,
		private readonly Outbox $outbox,
		private readonly CopyGuard $copy_guard,
		private readonly ServiceClient $service_client,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * Connects with a connect string. A connected shop gets a new secret, and the service drops the old one.
	 *
	 * @param bool $test_site_confirmed The merchant confirmed to connect a site whose environment is not production.
	 * @param int  $activated_at        Unix seconds from which the orders of a shop that connects for the first time count; 0: from now.
	 * @throws ConnectError
	 */
	public function connect( #[\SensitiveParameter] string $connect_string, bool $test_site_confirmed = false, int $activated_at = 0 ): Connection {
		if ( ! SiteIdentity::is_production() && ! $test_site_confirmed ) {
			/* translators: %s: environment type, such as "staging" */
			throw new ConnectError( sprintf( __( 'This site says that it is no live shop (environment: %s). Tick the box if it is to be connected all the same.', 'tillsync-bridge' ), SiteIdentity::environment() ) );
		}
		$given  = ConnectString::parse( $connect_string );
		$stored = Connection::from_stored( get_option( ConnectionStore::CONNECTION ) );
		// Another account has none of the earlier orders, so its orders begin now.
		$first = null === $stored && 0 < $activated_at ? min( $activated_at, $this->clock->now() ) : $this->clock->now();
		$since = null !== $stored && $stored->account_id === $given->account_id ? $stored->orders_since : $first;
		return $this->connect_shop( $given->url, $given->account_id, $given->token, $since );
	}

	/**
	 * Connects again from the present address with the stored token, after a move or for a new secret.
	 *
	 * @throws ConnectError
	 */
	public function reconnect(): Connection {
		$connection = $this->connections->current();
		if ( null === $connection ) {
			throw new ConnectError( __( 'This shop is not connected: paste a connect string.', 'tillsync-bridge' ) );
		}
		return $this->connect_shop( $connection->url, $connection->account_id, $connection->token, $connection->orders_since );
	}

	/**
	 * Marks this site as a copy. It forgets the connection without a call to the service, and closes the waiting orders of the original.
	 */
	public function become_copy(): void {
		$connection = $this->connections->current();
		$this->connections->mark_as_copy( null === $connection ? '' : $connection->home_url );
		$this->settings->forget();
		$this->pause->resume();
		$this->outbox->close_waiting( __( 'Not sent: this site is a copy of another shop.', 'tillsync-bridge' ) );
		$this->log->info( 'this site was marked as a copy: the connection is forgotten here' );
	}

	/**
	 * Disconnects the shop: the service drops the secret and revokes the token.
	 *
	 * @param bool $even_unreached Also forget the connection when the service did not answer. The token then stays valid there.
	 * @throws ConnectError The service did not answer, and $even_unreached is false.
	 */
	public function disconnect( bool $even_unreached = false ): void {
		$connection = $this->copy_guard->usable();
		try {
			if ( null !== $connection ) {
				$this->service_client->call( 'AccountService', 'DisconnectShop', array( 'accountId' => $connection->account_id ), 15 );
			}
		} catch ( ServiceError $error ) {
			// The service has already revoked a token that it refuses.
			if ( ! $even_unreached && ! $error->is_refusal() ) {
				/* translators: %s: what went wrong */
				throw new ConnectError( sprintf( __( 'The service could not be reached (%s). Try again later, or disconnect here only and ask your tillsync operator to revoke the token.', 'tillsync-bridge' ), $error->getMessage() ) );
			}
		}
		$this->connections->forget();
		$this->settings->forget();
		$this->pause->resume();
		$this->log->info( 'disconnected' );
		SafeCall::run(
			$this->log,
			'tillsync_disconnected',
			static function (): void {
				/** Fires after the shop has disconnected from its service. */
				do_action( 'tillsync_disconnected' );
			}
		);
	}

	/**
	 * @throws ConnectError
	 */
	private function connect_shop( string $url, string $account_id, #[\SensitiveParameter] string $token, int $orders_since ): Connection {
		// On a network this may be the first call on this site. Without the tables its orders would wait for the sweep.
		$this->schema_updater->check();
		$secret = self::new_secret();
		$this->connections->store_pending_secret( $secret );
		try {
			$answer = $this->service_client->call_with(
				$url,
				$token,
				'AccountService',
				'ConnectShop',
				array(
					'accountId'     => $account_id,
					'baseUrl'       => SiteIdentity::home_url(),
					'restUrl'       => rest_url(),
					'bridgeSecret'  => $secret,
					'bridgeVersion' => \Tillsync\Bridge\VERSION,
				),
				self::TIMEOUT_SECONDS
			);
		} catch ( ServiceError $error ) {
			$words = CheckTexts::of_reason( $error->reason );
			/* translators: %s: what went wrong, and what to do */
			throw new ConnectError( sprintf( __( 'Not connected. %s', 'tillsync-bridge' ), null === $words ? $error->sentence() : implode( ' ', $words ) ), null === $words ? '' : $error->getMessage() );
		} finally {
			$this->connections->drop_pending_secret();
		}
		$now        = $this->clock->now();
		$name       = is_string( $answer['accountName'] ?? null ) ? $answer['accountName'] : '';
		$connection = new Connection( $url, $account_id, $token, $secret, SiteIdentity::home_url(), SiteIdentity::environment(), $now, $name, $orders_since );
		$this->connections->save( $connection );
		$this->settings->store( $answer );
		$this->pause->resume();
		// The service has just answered, so earlier failures no longer count.
		$this->breaker->succeeded();
		$this->sweep->start_from( $orders_since );
		$this->log->info( "connected to account {$account_id}" );
		SafeCall::run( $this->log, 'change of account', fn() => $this->account_change->connected( $account_id ) );
		SafeCall::run(
			$this->log,
			'tillsync_connected',
			static function () use ( $account_id ): void {
				/** Fires after the shop has connected, for the first time or again. */
				do_action( 'tillsync_connected', $account_id );
			}
		);
		return $connection;
	}

	/** Returns 32 random bytes as base64url without padding, 43 characters. */
	private static function new_secret(): string {
		return rtrim( strtr( base64_encode( random_bytes( 32 ) ), '+/', '-_' ), '=' ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions
	}
}
