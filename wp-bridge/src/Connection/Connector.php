<?php
/**
 * Connecting, reconnecting, moving, leaving.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Health\CheckWords;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Orders\Sweep;
use Tillsync\Bridge\Schema\Upkeep;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;

/**
 * Introduces the shop to its service. The service calls back `status` before it says connected, so the new secret is stored as
 * pending before the call and becomes the secret only with the answer.
 */
final class Connector {

	private const TIMEOUT_SECONDS = 60;

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	/**
	 * Connects with a connect string; a shop that is connected gets a new secret, and the service drops the old one.
	 *
	 * @param bool $test_site_confirmed The merchant said that a site whose environment is not production is to be connected.
	 * @throws ConnectError
	 */
	public function connect( #[\SensitiveParameter] string $connect_string, bool $test_site_confirmed = false ): Connection {
		if ( ! SitePlace::is_production() && ! $test_site_confirmed ) {
			/* translators: %s: environment type, such as "staging" */
			throw new ConnectError( sprintf( __( 'This site says that it is no live shop (environment: %s). Tick the box if it is to be connected all the same.', 'tillsync-bridge' ), SitePlace::environment() ) );
		}
		$given  = ConnectString::parse( $connect_string );
		$stored = Connection::from_stored( get_option( ConnectionStore::CONNECTION ) );
		// Another account knows nothing of what was sent before: its orders begin now.
		$since = null !== $stored && $stored->account_id === $given->account_id ? $stored->orders_since : $this->services->clock()->now();
		return $this->introduce( $given->url, $given->account_id, $given->token, $since );
	}

	/**
	 * The shop moved, or gets a new secret: introduces it from where it is now, with the token it has.
	 *
	 * @throws ConnectError
	 */
	public function reconnect(): Connection {
		$connection = $this->services->connection();
		if ( null === $connection ) {
			throw new ConnectError( __( 'This shop is not connected: paste a connect string.', 'tillsync-bridge' ) );
		}
		return $this->introduce( $connection->url, $connection->account_id, $connection->token, $connection->orders_since );
	}

	/** This site is a copy: it forgets the connection without a word to the service, and what was waiting in the original. */
	public function become_copy(): void {
		$connection = $this->services->connection();
		$this->services->connections()->mark_as_copy( null === $connection ? '' : $connection->home_url );
		$this->services->get( SiteSettings::class )->forget();
		$this->services->get( OutboxPause::class )->resume();
		$this->services->outbox()->close_waiting( __( 'Not sent: this site is a copy of another shop.', 'tillsync-bridge' ) );
		$this->services->log()->info( 'this site was said to be a copy: the connection is forgotten here' );
	}

	/**
	 * Leaves the service: it drops the secret and revokes the token.
	 *
	 * @param bool $even_unreached Forget the connection here even when the service did not answer; the token then stays valid there.
	 * @throws ConnectError When the service did not answer and that was not allowed.
	 */
	public function disconnect( bool $even_unreached = false ): void {
		$connection = $this->services->copy_guard()->usable();
		try {
			if ( null !== $connection ) {
				$this->services->service_client()->call( 'AccountService', 'DisconnectShop', array( 'accountId' => $connection->account_id ), 15 );
			}
		} catch ( ServiceError $error ) {
			// A token that is refused is revoked already.
			if ( ! $even_unreached && ! $error->is_refusal() ) {
				/* translators: %s: what went wrong */
				throw new ConnectError( sprintf( __( 'The service could not be told (%s). Try again later, or disconnect here only and ask your tillsync operator to revoke the token.', 'tillsync-bridge' ), $error->getMessage() ) );
			}
		}
		$this->services->connections()->forget();
		$this->services->get( SiteSettings::class )->forget();
		$this->services->get( OutboxPause::class )->resume();
		$this->services->log()->info( 'disconnected' );
		Guarded::call(
			$this->services,
			'tillsync_disconnected',
			static function (): void {
				/** The shop has left its service. */
				do_action( 'tillsync_disconnected' );
			}
		);
	}

	/**
	 * @throws ConnectError
	 */
	private function introduce( string $url, string $account_id, #[\SensitiveParameter] string $token, int $orders_since ): Connection {
		// On a network this may be the first that this site hears of us; without a table its orders would wait for the sweep.
		$this->services->get( Upkeep::class )->check();
		$store  = $this->services->connections();
		$secret = self::new_secret();
		$store->begin( $secret );
		try {
			$answer = $this->services->service_client()->call_with(
				$url,
				$token,
				'AccountService',
				'ConnectShop',
				array(
					'accountId'     => $account_id,
					'baseUrl'       => SitePlace::home_url(),
					'restUrl'       => rest_url(),
					'bridgeSecret'  => $secret,
					'bridgeVersion' => \Tillsync\Bridge\VERSION,
				),
				self::TIMEOUT_SECONDS
			);
		} catch ( ServiceError $error ) {
			$words = CheckWords::of_reason( $error->reason );
			/* translators: %s: what went wrong, and what to do */
			throw new ConnectError( sprintf( __( 'Not connected. %s', 'tillsync-bridge' ), null === $words ? $error->sentence() : implode( ' ', $words ) ), null === $words ? '' : $error->getMessage() );
		} finally {
			$store->end();
		}
		$now        = $this->services->clock()->now();
		$name       = is_string( $answer['accountName'] ?? null ) ? $answer['accountName'] : '';
		$connection = new Connection( $url, $account_id, $token, $secret, SitePlace::home_url(), SitePlace::environment(), $now, $name, $orders_since );
		$store->save( $connection );
		$this->services->get( SiteSettings::class )->remember( $answer );
		$this->services->get( OutboxPause::class )->resume();
		// It has just answered, whatever was before.
		$this->services->get( Breaker::class )->succeeded();
		$this->services->get( Sweep::class )->begin_at( $orders_since );
		$this->services->log()->info( "connected to account {$account_id}" );
		Guarded::call( $this->services, 'change of account', fn() => $this->services->get( AccountChange::class )->connected( $account_id ) );
		Guarded::call(
			$this->services,
			'tillsync_connected',
			static function () use ( $account_id ): void {
				/** The shop is connected, for the first time or again. */
				do_action( 'tillsync_connected', $account_id );
			}
		);
		return $connection;
	}

	/** 32 random bytes, base64url without padding: 43 characters. */
	private static function new_secret(): string {
		return rtrim( strtr( base64_encode( random_bytes( 32 ) ), '+/', '-_' ), '=' ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions
	}
}
