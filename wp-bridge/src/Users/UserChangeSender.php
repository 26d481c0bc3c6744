<?php
/**
 * The sender of user changes.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Users;

use Throwable;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Customers\RegistrationTime;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\CallOutcome;
use Tillsync\Bridge\Orders\DrainLimits;
use Tillsync\Bridge\Orders\DrainReport;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Reports user changes with LinkService/ReportShopUsers as the first step of a drain: up to 100 changes a call, oldest first. It also sends
 * held orders of users with a changed email again. A change is reported at least once. Two drains may report the same change, and the
 * service handles it once. A service without this method delays no orders; the changes stay stored.
 */
class UserChangeSender {

	private const TIMEOUT_SECONDS = 15;
	private const CHANGES         = 100;

	/**
	 * How many of a user's orders are read, newest first, and how many held ones of them are sent again. Other held orders are polled
	 * anyway.
	 */
	private const ORDERS      = 200;
	private const HELD_ORDERS = 50;

	/** Option with the unix seconds before which no change is reported. */
	private const NOT_BEFORE = 'tillsync_bridge_user_changes_after';

	private const AFTER_FAILURE  = 300;
	private const UNTIL_NEXT_TRY = 3600;

	public function __construct(
		private readonly UserChanges $changes,
		private readonly ServiceApi $service_api,
		private readonly CallOutcome $calls,
		private readonly Outbox $outbox,
		private readonly CopyGuard $copy_guard,
		private readonly ServiceClient $service_client,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** Returns when the next work is due, in unix seconds, or null without work. */
	public function next_due(): ?int {
		$orders_are_due = $this->changes->orders_are_due();
		if ( true === $orders_are_due ) {
			return $this->clock->now();
		}
		return null === $orders_are_due || ! $this->is_supported() ? null : (int) get_option( self::NOT_BEFORE, 0 );
	}

	/** @return string Reason why the drain must stop; empty when it continues. */
	public function send( DrainReport $report, DrainLimits $limits ): string {
		$next = $this->next_due();
		if ( null === $next || $this->clock->now() < $next ) {
			return '';
		}
		$this->send_held_orders_again( $limits );
		$stop = '';
		while ( '' === $stop && $this->may_report() ) {
			$rows = $this->changes->oldest( self::CHANGES );
			if ( array() === $rows ) {
				break;
			}
			$stop = $limits->reason_to_stop();
			$stop = '' === $stop ? $this->report( $rows, $report ) : $stop;
		}
		return $stop;
	}

	private function may_report(): bool {
		return $this->is_supported() && $this->clock->now() >= (int) get_option( self::NOT_BEFORE, 0 );
	}

	private function is_supported(): bool {
		return 2 <= $this->service_api->version();
	}

	/**
	 * @param array<int, array{id: int, user_id: int, kind: string, registered: int, changed_at: int}> $rows Rows, oldest first.
	 * @return string Reason why the drain must stop; empty when it continues.
	 */
	private function report( array $rows, DrainReport $report ): string {
		$connection = $this->copy_guard->usable();
		if ( null === $connection ) {
			return 'not_connected';
		}
		$changes = array_filter( array_map( static fn( array $row ) => self::change( $row, $connection ), array_column( $rows, null, 'id' ) ) );
		try {
			if ( array() !== $changes ) {
				$this->service_client->call( 'LinkService', 'ReportShopUsers', array( 'changes' => array_values( $changes ) ), self::TIMEOUT_SECONDS );
				$this->calls->succeeded();
				$report->users += count( $changes );
			}
		} catch ( ServiceError $error ) {
			return $this->failed( $rows, $error, $report );
		}
		delete_option( self::NOT_BEFORE );
		// Rows that need no report any more are deleted too.
		return $this->delete( array_column( $rows, 'id' ) );
	}

	/** @param array<int, array{id: int, user_id: int, kind: string, registered: int, changed_at: int}> $rows Rows of the failed call. */
	private function failed( array $rows, ServiceError $error, DrainReport $report ): string {
		++$report->failed_calls;
		if ( $error->is_bad_message() ) {
			if ( 1 === count( $rows ) ) {
				$this->log->warning( "a change of user {$rows[0]['user_id']} was refused by the service: {$error->getMessage()}" );
				return $this->delete( array( $rows[0]['id'] ) );
			}
			// One change makes the service refuse the whole message. Halving isolates it.
			$halves = array_chunk( $rows, (int) ceil( count( $rows ) / 2 ) );
			$stop   = $this->report( $halves[0], $report );
			return '' === $stop && $this->may_report() ? $this->report( $halves[1], $report ) : $stop;
		}
		if ( $error->is_refusal() || $error->is_throttling() || 'not_connected' === $error->connect_code ) {
			return $this->calls->failed( $error );
		}
		// The failure does not count for the breaker, because a fault of this method alone must not delay orders. The orders' calls show
		// whether the service answers.
		$is_passing = $error->is_transport() && 404 !== $error->status;
		update_option( self::NOT_BEFORE, $this->clock->now() + ( $is_passing ? self::AFTER_FAILURE : self::UNTIL_NEXT_TRY ), false );
		if ( $is_passing ) {
			$this->log->warning( "changes of users were not told, and stay for later: {$error->getMessage()}" );
		}
		return '';
	}

	/**
	 * @param int[] $ids Ids of rows.
	 * @return string Reason why the drain must stop, when the rows cannot be deleted; they would be reported endlessly. Else empty.
	 */
	private function delete( array $ids ): string {
		return $this->changes->forget( $ids ) ? '' : 'table';
	}

	/**
	 * Returns a ShopUserChange, or null when the row needs no report any more.
	 *
	 * @param array{id: int, user_id: int, kind: string, registered: int, changed_at: int} $row The row.
	 * @return array<string, bool|string>|null
	 */
	private static function change( array $row, Connection $connection ): ?array {
		$change = array( 'wooCustomerId' => (string) $row['user_id'], 'changeTime' => RegistrationTime::text( $row['changed_at'] ) );
		if ( RegistrationTime::UNKNOWN !== $row['registered'] ) {
			$change['wooRegisteredTime'] = RegistrationTime::text( $row['registered'] );
		}
		if ( UserChanges::DELETED === $row['kind'] ) {
			return $change + array( 'deleted' => true );
		}
		// The newest email counts. Only its keyed hash is sent.
		$user  = get_userdata( $row['user_id'] );
		$email = false === $user || RegistrationTime::seconds( $user->user_registered ) !== $row['registered'] ? '' : UserHooks::normalised_email( $user->user_email );
		return '' === $email ? null : $change + array( 'emailHash' => hash_hmac( 'sha256', $email, $connection->bridge_secret ) );
	}

	/** Sends the held orders of users with a changed email again, because the service decided about them with the old email. */
	private function send_held_orders_again( DrainLimits $limits ): void {
		while ( '' === $limits->reason_to_stop() ) {
			$row = $this->changes->with_orders_due( 1 )[0] ?? null;
			if ( null === $row ) {
				return;
			}
			try {
				$ids  = wc_get_orders( array( 'customer_id' => $row['user_id'], 'type' => 'shop_order', 'limit' => self::ORDERS, 'orderby' => 'ID', 'order' => 'DESC', 'return' => 'ids' ) );
				$held = $this->outbox->held_of( array_map( 'intval', (array) $ids ) );
				foreach ( array_slice( $held, 0, self::HELD_ORDERS ) as $order_id ) {
					$this->outbox->request_match( $order_id, false );
				}
			} catch ( Throwable $error ) {
				// The poller notices the change too, some hours later.
				$this->log->failure( "held orders of user {$row['user_id']}", $error );
			}
			if ( ! $this->changes->orders_done( $row['id'] ) ) {
				return;
			}
		}
	}
}
