<?php
/**
 * "Match the last N days".
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Schedule;

/**
 * Puts older orders into the outbox when the merchant asks for it: first the number, then a portion at a time in the background, oldest
 * first, so that the till's customers are made in the order of their orders.
 */
class Backfill {

	private const OPTION       = 'tillsync_bridge_backfill';
	private const PAGE         = 200;
	private const COUNT_LIMIT  = 20000;
	private const STILL_AFTER  = 300;
	public const LONGEST_DAYS  = 730;

	public function __construct(
		private readonly Outbox $outbox,
		private readonly CopyGuard $copy_guard,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * What it would do: orders in a chosen status created in the last days, and how many of them have not been sent.
	 *
	 * @return array{orders: int, new: int, capped: bool} Counted to 20,000.
	 */
	public function preview( int $days ): array {
		$orders = 0;
		$new    = 0;
		$since  = $this->since( $days );
		for ( $after = 0; $orders < self::COUNT_LIMIT; $after += self::PAGE ) {
			$ids     = $this->page( $since, $after );
			$orders += count( $ids );
			$new    += count( $this->outbox->unknown_of( $ids ) ?? array() );
			if ( count( $ids ) < self::PAGE ) {
				return array( 'orders' => $orders, 'new' => $new, 'capped' => false );
			}
		}
		return array( 'orders' => $orders, 'new' => $new, 'capped' => true );
	}

	/** Begins. A run under way is replaced: what it has put in stays. */
	public function start( int $days ): void {
		$now = $this->clock->now();
		update_option( self::OPTION, array( 'since' => $this->since( $days ), 'offset' => 0, 'noted' => 0, 'until' => $now, 'touched' => $now ), false );
		Schedule::at( $now, Schedule::BACKFILL );
	}

	/** Ends a run: what it has put in stays. */
	public function stop(): void {
		delete_option( self::OPTION );
	}

	/** How far a run is; null: none is under way. */
	public function noted(): ?int {
		$run = get_option( self::OPTION );
		return is_array( $run ) ? (int) $run['noted'] : null;
	}

	/** Some pages, as long as a background request may take. */
	public function portion( ?DrainLimits $limits = null ): void {
		$run = get_option( self::OPTION );
		if ( ! is_array( $run ) || null === $this->copy_guard->usable() ) {
			return;
		}
		$limits = $limits ?? new DrainLimits( $this->clock );
		do {
			$ids = $this->page( (int) $run['since'], (int) $run['offset'], (int) $run['until'] );
			$new = $this->outbox->unknown_of( $ids );
			foreach ( $new ?? array() as $order_id ) {
				$run['noted'] += $this->outbox->note( $order_id ) ? 1 : 0;
			}
			if ( null !== $new ) {
				$run['offset'] += count( $ids );
			}
			$run['touched'] = $this->clock->now();
			if ( null !== $new && count( $ids ) < self::PAGE ) {
				delete_option( self::OPTION );
				$this->log->info( "older orders: {$run['noted']} were put into the outbox" );
				return;
			}
			update_option( self::OPTION, $run, false );
		} while ( null !== $new && '' === $limits->reason_to_stop() );
		Schedule::at( $this->clock->now(), Schedule::BACKFILL );
	}

	/** For cron: a run that nothing has touched for five minutes goes on. */
	public function portion_if_left_alone(): void {
		$run = get_option( self::OPTION );
		if ( is_array( $run ) && (int) $run['touched'] < $this->clock->now() - self::STILL_AFTER ) {
			$this->portion();
		}
	}

	private function since( int $days ): int {
		return $this->clock->now() - max( 1, min( self::LONGEST_DAYS, $days ) ) * DAY_IN_SECONDS;
	}

	/** @return int[] Oldest first. An order whose status changes while this runs may shift a page by one: the hook has it then. */
	private function page( int $since, int $offset, ?int $until = null ): array {
		$ids = wc_get_orders(
			array(
				'type'         => 'shop_order',
				'status'       => ChosenStatuses::get(),
				'date_created' => null === $until ? '>=' . $since : $since . '...' . $until,
				'limit'        => self::PAGE,
				'offset'       => $offset,
				'orderby'      => 'ID',
				'order'        => 'ASC',
				'return'       => 'ids',
			)
		);
		return array_map( 'intval', is_array( $ids ) ? $ids : array() );
	}
}
