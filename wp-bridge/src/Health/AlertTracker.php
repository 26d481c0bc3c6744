<?php
/**
 * The tracker of alerts.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Schema\Tables;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Opens and closes alerts when the drain brings answers. Once an hour it asks the service for the account's state, because no event reports
 * a till that cannot be used. That check also corrects what a lost event or a crashed process left behind.
 */
final class AlertTracker {

	public function __construct(
		private readonly Database $database,
		private readonly HeldCount $held_count,
		private readonly SiteSettings $settings,
		private readonly OutboxPause $pause,
		private readonly HeldOrders $held_orders,
		private readonly Alerts $alerts,
		private readonly Tables $tables,
		private readonly CopyGuard $copy_guard,
		private readonly Outbox $outbox,
		private readonly Log $log
	) {}

	/**
	 * @param mixed $given_id Id of the order.
	 * @param mixed $stored   Result of Answer::to_stored().
	 */
	public function answered( $given_id = 0, $stored = array() ): void {
		$order_id = (int) $given_id;
		$answer   = Answer::from_stored( (array) $stored );
		if ( ! has_action( 'shutdown', array( $this, 'count_held' ) ) ) {
			add_action( 'shutdown', array( $this, 'count_held' ) );
		}
		$this->alerts->leave( Alert::REFUSED_ORDERS, $order_id );
		if ( Answer::PENDING === $answer->state ) {
			// The entry runs again. Its next answer decides, so that one alert is not sent twice.
			return;
		}
		if ( Answer::HELD !== $answer->state ) {
			$this->alerts->remove_order( $order_id );
			return;
		}
		$order = wc_get_order( $order_id );
		if ( ! $order instanceof \WC_Order ) {
			$this->alerts->remove_order( $order_id );
			return;
		}
		$user_id = (int) $order->get_customer_id();
		$key     = $this->key_of( $answer, $user_id, strtolower( trim( (string) $order->get_billing_email() ) ), $order_id );
		$person  = 0 === strncmp( $key, 'user:', 5 ) || 0 === strncmp( $key, 'guest:', 6 );
		$this->alerts->remove_order( $order_id, $key );
		$this->alerts->open_for_order( $key, $person ? $answer->outcome : $key, $person ? $user_id : 0, $order_id );
	}

	/** Counts held orders once a request, after answers are stored, because the service's events may not reach this shop. */
	public function count_held(): void {
		SafeCall::run(
			$this->log,
			'counting held orders',
			function (): void {
				$table = $this->tables->outbox();
				$held  = $this->database->value( "SELECT COUNT(*) FROM {$table} WHERE state = 'sent' AND entry_state = %s", array( Answer::HELD ) );
				$this->held_count->store( (int) $held );
			}
		);
	}

	/** Returns the key of the alert. It depends on codes and on the stored settings, never on the text of a note. */
	private function key_of( Answer $answer, int $user_id, string $email, int $order_id ): string {
		$customer_part = 'OUTCOME_PRODUCT_AND_CUSTOMER_NOT_MATCHED' === $answer->outcome ? ( $answer->causes[0] ?? '' ) : $answer->outcome;
		if ( 'OUTCOME_PRODUCT_NOT_MATCHED' === $customer_part ) {
			return Alert::PRODUCTS;
		}
		$settings = $this->settings->stored();
		$needs    = null !== $settings && '0' === $settings['defaultEposCustomerId'] && ( 0 === $user_id || ! $settings['customerSyncEnabled'] );
		if ( $needs && 'OUTCOME_DUPLICATE_EMAIL' !== $customer_part ) {
			return Alert::DEFAULT_CUSTOMER;
		}
		if ( $user_id > 0 ) {
			return "user:{$user_id}";
		}
		// The hash uses this site's key, so it reveals nothing to others.
		return 'guest:' . substr( wp_hash( '' !== $email ? $email : "order {$order_id}" ), 0, 16 );
	}

	/**
	 * @param mixed $order_id Id of the order.
	 * @param mixed $reason   One sentence.
	 */
	public function refused( $order_id = 0, $reason = '' ): void {
		if ( is_numeric( $order_id ) && 0 < (int) $order_id ) {
			$this->alerts->open_for_order( Alert::REFUSED_ORDERS, Alert::REFUSED_ORDERS, 0, (int) $order_id, is_string( $reason ) ? $reason : '' );
		}
	}

	/** @param mixed $reason One sentence. */
	public function paused( $reason = '' ): void {
		$this->alerts->open( Alert::REFUSED, (string) $reason );
	}

	public function resumed(): void {
		$this->alerts->close( Alert::REFUSED );
	}

	public function disconnected(): void {
		$this->alerts->close_all();
		$this->held_count->store( 0 );
	}

	/**
	 * Also reads held orders, because the service may hold earlier orders of this shop. It ignores the account's problem: for some seconds
	 * after the connection the service still names the problem that the connection ends. The next check sees whether it stays.
	 */
	public function connected(): void {
		$this->alerts->close( Alert::REFUSED );
		$this->alerts->close( Alert::COPY );
		$this->alerts->close( Alert::ACCOUNT_PROBLEM );
		$this->read_held_orders();
	}

	/** Checks the account once an hour, in the background. */
	public function check_account(): void {
		if ( $this->copy_guard->must_choose() ) {
			$this->alerts->open( Alert::COPY, '' );
			return;
		}
		$this->alerts->close( Alert::COPY );
		if ( 0 === $this->pause->since() ) {
			$this->alerts->close( Alert::REFUSED );
		}
		$this->remove_ended_orders();
		if ( null === $this->copy_guard->usable() || $this->pause->holds() ) {
			return;
		}
		$answer = $this->read_held_orders();
		if ( null !== $answer ) {
			$this->problem( $answer['problem'] );
		}
	}

	/** @return array{problem: mixed}|null Null when the service does not answer. The drain reports that, and the check runs again in an hour. */
	private function read_held_orders(): ?array {
		try {
			return array( 'problem' => $this->held_orders->refresh() );
		} catch ( ServiceError $error ) {
			return null;
		}
	}

	/**
	 * Opens or closes the alert of the account's problem, from an answer of ListQueue. The queues page calls it after each of its calls.
	 *
	 * @param mixed $problem An AccountProblem message, or null.
	 */
	public function problem( $problem ): void {
		// Throttling ends without an action of a person.
		if ( is_array( $problem ) && 'PROBLEM_REASON_THROTTLED' !== ( $problem['reason'] ?? '' ) ) {
			$this->alerts->open( Alert::ACCOUNT_PROBLEM, is_string( $problem['text'] ?? null ) ? $problem['text'] : '', CheckTexts::reason_of_problem( $problem ) );
		} else {
			$this->alerts->close( Alert::ACCOUNT_PROBLEM );
		}
	}

	/** Removes orders from alerts when their row shows that they no longer wait, or when they are deleted. */
	private function remove_ended_orders(): void {
		foreach ( $this->alerts->all() as $alert ) {
			foreach ( $alert->order_ids as $order_id ) {
				$row = $this->outbox->find( $order_id );
				$waits = null !== $row && ( Alert::REFUSED_ORDERS === $alert->key ? OutboxRow::FAILED === $row->state : in_array( $row->entry_state, array( Answer::HELD, Answer::PENDING ), true ) );
				if ( ! $waits || false === wc_get_order( $order_id ) ) {
					$this->alerts->remove_order( $order_id );
				}
			}
		}
	}
}
