<?php
/**
 * When the outbox is emptied.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Connection\ConnectError;
use Tillsync\Bridge\Connection\Connector;
use Tillsync\Bridge\Connection\SitePlace;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Services;

/**
 * Action Scheduler runs the drain: the drain schedules its own next time, wp-admin pages kick it when something is due (its async runner
 * starts only there). The floor under that is a cron event every minute, which costs one read when there is nothing to do.
 */
final class DrainJob implements Part {

	/** When an automatic connect by TILLSYNC_CONNECT failed: not again before. */
	private const CONNECT_AFTER = 'tillsync_bridge_connect_after';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_action( Schedule::DRAIN, Guarded::action( $this->services, 'drain', fn() => $this->services->get( Drain::class )->run() ) );
		add_action( Schedule::MINUTE, Guarded::action( $this->services, 'cron', fn() => $this->minute() ) );
		add_action( Schedule::HOURLY, Guarded::action( $this->services, 'sweep', fn() => $this->services->get( Sweep::class )->run() ) );
		add_action( Schedule::BACKFILL, Guarded::action( $this->services, 'backfill', fn() => $this->services->get( Backfill::class )->portion() ) );
		add_action( 'admin_init', Guarded::action( $this->services, 'kick', fn() => $this->kick_from_admin() ), 20 );
	}

	private function minute(): void {
		$this->connect_by_constant();
		$drain = $this->services->get( Drain::class );
		if ( $this->services->connections()->is_connected() && $drain->is_due() ) {
			$drain->run();
		}
		// Without Action Scheduler, or with one that stands still, older orders still get in.
		$this->services->get( Backfill::class )->portion_if_left_alone();
	}

	private function kick_from_admin(): void {
		if ( wp_doing_ajax() || ! current_user_can( 'manage_woocommerce' ) || ! $this->services->connections()->is_connected() ) {
			return;
		}
		$drain = $this->services->get( Drain::class );
		if ( $drain->is_due() ) {
			$drain->kick();
		}
	}

	/** A connect string in wp-config.php is enough for a live shop. A test site, or a copy, waits for a person. */
	private function connect_by_constant(): void {
		$store    = $this->services->connections();
		$constant = $store->constant();
		$now      = $this->services->clock()->now();
		if ( null === $constant || $store->is_connected() || null !== $store->copy_of() || ! SitePlace::is_production()
			|| $now < (int) get_option( self::CONNECT_AFTER, 0 ) ) {
			return;
		}
		// Noted before the call: a request that dies in it does not try again at once.
		update_option( self::CONNECT_AFTER, $now + 15 * MINUTE_IN_SECONDS, false );
		try {
			$this->services->get( Connector::class )->connect( $constant );
			delete_option( self::CONNECT_AFTER );
		} catch ( ConnectError $error ) {
			$this->services->log()->error( 'TILLSYNC_CONNECT: ' . $error->getMessage() );
		}
	}
}
