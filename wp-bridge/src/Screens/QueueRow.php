<?php
/**
 * An entry in the browser's form.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Orders\AnswerTexts;

/** Converts an entry to plain values, with times in the shop's zone and format. The browser sets them as text, never as markup. */
class QueueRow {

	/** Outcomes for which a person can choose the customer. */
	private const ABOUT_CUSTOMER = array( 'OUTCOME_DUPLICATE_EMAIL', 'OUTCOME_CUSTOMER_NOT_MATCHED', 'OUTCOME_PRODUCT_AND_CUSTOMER_NOT_MATCHED' );

	public function __construct( private readonly OutcomeTexts $outcome_texts ) {}

	/**
	 * @param array<string, mixed> $entry A QueueEntry message.
	 * @return array<string, mixed>
	 */
	public function plain( array $entry ): array {
		$state    = self::text( $entry, 'state' );
		$outcome  = self::text( $entry, 'outcome' );
		$is_order = 'ENTRY_KIND_ORDER_CUSTOMER' === self::text( $entry, 'kind' );
		$causes   = array_values( array_filter( (array) ( $entry['causes'] ?? array() ), 'is_string' ) );
		$order_id = self::id( $entry, 'orderId' );
		$user_id  = self::id( $entry, 'wooCustomerId' );
		return array(
			'id'          => self::text( $entry, 'entryId' ),
			'subject'     => self::subject( $entry ),
			'facts'       => self::facts( $entry ),
			'order_url'   => $is_order && '' !== $order_id ? self::order_url( (int) $order_id ) : '',
			'user_url'    => '' === $user_id ? '' : self::user_url( (int) $user_id ),
			'user_id'     => $user_id,
			'state'       => strtolower( substr( $state, 12 ) ),
			'state_label' => AnswerTexts::state( $state ),
			'where'       => self::where( $state ),
			'outcome'     => $outcome,
			'comment'     => self::text( $entry, 'comment' ),
			'explained'   => $this->outcome_texts->explain( $outcome ),
			'causes'      => array_map( fn( string $cause ) => $this->outcome_texts->explain( $cause )['meaning'], $causes ),
			'notes'       => array_values( array_filter( (array) ( $entry['notes'] ?? array() ), 'is_string' ) ),
			'attempts'    => (int) ( $entry['attemptCount'] ?? 0 ),
			'joined'      => (int) ( $entry['coalescedCount'] ?? 0 ),
			'created'     => self::time( $entry, 'createTime' ),
			'updated'     => self::time( $entry, 'updateTime' ),
			'finished'    => self::time( $entry, 'finishTime' ),
			'next_try'    => Answer::PENDING === $state ? self::time( $entry, 'nextAttemptTime' ) : '',
			// Only the order screen changes the customer of a processed order.
			'can_retry'   => 'ENTRY_STATE_PROCESSED' !== $state || ! $is_order,
			'can_dismiss' => in_array( $state, array( Answer::PENDING, Answer::HELD, Answer::FAILED ), true ),
			'can_choose'  => $is_order && in_array( $state, array( Answer::HELD, Answer::FAILED ), true ) && in_array( $outcome, self::ABOUT_CUSTOMER, true ),
			'same_cause'  => in_array( $state, array( Answer::PENDING, Answer::HELD, Answer::FAILED ), true ) && '' !== $outcome && 'OUTCOME_UNSPECIFIED' !== $outcome,
		);
	}

	/**
	 * @param array<string, mixed> $attempt An Attempt message.
	 * @return array<string, mixed>
	 */
	public function attempt( array $attempt ): array {
		$status = (int) ( $attempt['upstreamStatus'] ?? 0 );
		$sides  = array( 'SIDE_TILL' => __( 'at the till', 'tillsync-bridge' ), 'SIDE_SHOP' => __( 'at the shop', 'tillsync-bridge' ) );
		return array(
			'number'  => (int) ( $attempt['number'] ?? 0 ),
			'comment' => self::text( $attempt, 'comment' ),
			'notes'   => array_values( array_filter( (array) ( $attempt['notes'] ?? array() ), 'is_string' ) ),
			'began'   => self::time( $attempt, 'startTime' ),
			'ended'   => self::time( $attempt, 'finishTime' ),
			'status'  => $status > 0 ? "HTTP {$status}" : '',
			'side'    => $sides[ self::text( $attempt, 'side' ) ] ?? '',
			'charged' => true === ( $attempt['charged'] ?? false ),
		);
	}

	/** @param array<string, mixed> $entry A QueueEntry message. */
	private static function subject( array $entry ): string {
		$label = self::text( $entry, 'subjectLabel' );
		if ( '' !== $label ) {
			return $label;
		}
		$number = self::text( $entry, 'orderNumber' );
		if ( '' !== $number || '' !== self::id( $entry, 'orderId' ) ) {
			/* translators: %s: order number */
			return sprintf( __( 'Order %s', 'tillsync-bridge' ), '' !== $number ? $number : self::id( $entry, 'orderId' ) );
		}
		if ( '' !== self::id( $entry, 'eposCustomerTypeId' ) ) {
			/* translators: %s: number of a customer type */
			return sprintf( __( 'Customer type %s', 'tillsync-bridge' ), self::id( $entry, 'eposCustomerTypeId' ) );
		}
		/* translators: %s: number of a customer at the till */
		return sprintf( __( 'Till customer %s', 'tillsync-bridge' ), self::id( $entry, 'eposCustomerId' ) );
	}

	/**
	 * @param array<string, mixed> $entry A QueueEntry message.
	 * @return array<int, array{0: string, 1: string}> Names and values.
	 */
	private static function facts( array $entry ): array {
		$account = self::text( $entry, 'maskedAccountEmail' );
		$billing = self::text( $entry, 'maskedBillingEmail' );
		$user_id = self::id( $entry, 'wooCustomerId' );
		$facts   = array(
			array( __( 'Order', 'tillsync-bridge' ), self::id( $entry, 'orderId' ) ),
			array( __( 'Till customer', 'tillsync-bridge' ), self::id( $entry, 'eposCustomerId' ) ),
			array( __( 'Customer type', 'tillsync-bridge' ), self::id( $entry, 'eposCustomerTypeId' ) ),
			array( __( 'Shop customer', 'tillsync-bridge' ), 'ENTRY_KIND_ORDER_CUSTOMER' === self::text( $entry, 'kind' ) && '' === $user_id ? __( 'guest', 'tillsync-bridge' ) : $user_id ),
			array( __( 'Account email', 'tillsync-bridge' ), $account ),
			array( __( 'Billing email', 'tillsync-bridge' ), $billing ),
		);
		return array_values( array_filter( $facts, static fn( array $fact ) => '' !== $fact[1] ) );
	}

	private static function where( string $state ): string {
		switch ( $state ) {
			case Answer::PENDING:
				return __( 'Waiting at the service', 'tillsync-bridge' );
			case Answer::HELD:
				return __( 'At the service, waiting for a person', 'tillsync-bridge' );
			default:
				return __( 'Answered', 'tillsync-bridge' );
		}
	}

	/** Returns an empty text for a deleted user, because WooCommerce's check of a shop manager's rights throws a TypeError for one. */
	private static function user_url( int $user_id ): string {
		return false === get_userdata( $user_id ) ? '' : (string) get_edit_user_link( $user_id );
	}

	private static function order_url( int $order_id ): string {
		$order = wc_get_order( $order_id );
		return $order instanceof \WC_Order ? (string) $order->get_edit_order_url() : '';
	}

	/** @param array<string, mixed> $message The message. */
	private static function text( array $message, string $name ): string {
		return is_scalar( $message[ $name ] ?? null ) ? (string) $message[ $name ] : '';
	}

	/** @param array<string, mixed> $message The message. An int64 is sent as text, and 0 means none. */
	private static function id( array $message, string $name ): string {
		$text = self::text( $message, $name );
		return '0' === $text ? '' : $text;
	}

	/** @param array<string, mixed> $message The message with an RFC 3339 time. */
	private static function time( array $message, string $name ): string {
		$at = strtotime( self::text( $message, $name ) );
		return false === $at ? '' : self::at( $at );
	}

	/** Formats a time in the shop's zone and format, with the date. */
	public static function at( int $time ): string {
		return $time < 1 ? '' : (string) wp_date( get_option( 'date_format', 'Y-m-d' ) . ' ' . get_option( 'time_format', 'H:i' ), $time );
	}
}
