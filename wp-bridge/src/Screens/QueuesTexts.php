<?php
/**
 * Texts of the queues page.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

/** Texts for the scripts. The scripts replace "%s" and "%d" by values. */
final class QueuesTexts {

	/** @return array<string, string> */
	public static function all(): array {
		return array(
			'customers'     => __( 'Customers Queue', 'tillsync-bridge' ),
			'customersHelp' => __( 'From the till to the shop: points, credit and customer types.', 'tillsync-bridge' ),
			'orders'        => __( 'Orders Queue', 'tillsync-bridge' ),
			'ordersHelp'    => __( 'From the shop to the till: which till customer an order belongs to.', 'tillsync-bridge' ),
			'queues'        => __( 'Queues', 'tillsync-bridge' ),
			'filters'       => __( 'Filters', 'tillsync-bridge' ),
			'state'         => __( 'State', 'tillsync-bridge' ),
			'anyState'      => __( 'Any state', 'tillsync-bridge' ),
			'cause'         => __( 'Cause', 'tillsync-bridge' ),
			'anyCause'      => __( 'Any cause', 'tillsync-bridge' ),
			'search'        => __( 'Email, order number or id', 'tillsync-bridge' ),
			'find'          => __( 'Search', 'tillsync-bridge' ),
			'all'           => __( 'Show all', 'tillsync-bridge' ),
			'subject'       => __( 'Subject', 'tillsync-bridge' ),
			'comment'       => __( 'Comment', 'tillsync-bridge' ),
			'times'         => __( 'Times', 'tillsync-bridge' ),
			'actions'       => __( 'Actions', 'tillsync-bridge' ),
			'notLeft'       => __( 'Not left the shop', 'tillsync-bridge' ),
			'notLeftHelp'   => __( 'These orders have not reached the service yet.', 'tillsync-bridge' ),
			'atService'     => __( 'At the service', 'tillsync-bridge' ),
			'created'       => __( 'Began', 'tillsync-bridge' ),
			'updated'       => __( 'Changed', 'tillsync-bridge' ),
			'finished'      => __( 'Ended', 'tillsync-bridge' ),
			'nextTry'       => __( 'Next try', 'tillsync-bridge' ),
			'noComment'     => __( 'No attempt has ended yet.', 'tillsync-bridge' ),
			'meaning'       => __( 'What it means', 'tillsync-bridge' ),
			'whatToDo'      => __( 'What to do', 'tillsync-bridge' ),
			'alsoCause'     => __( 'Also', 'tillsync-bridge' ),
			'notes'         => __( 'Notes', 'tillsync-bridge' ),
			'attempts'      => __( 'Attempts', 'tillsync-bridge' ),
			'noAttempts'    => __( 'None yet.', 'tillsync-bridge' ),
			/* translators: %d: number of an attempt */
			'attempt'       => __( 'Attempt %d', 'tillsync-bridge' ),
			'uncharged'     => __( 'not counted', 'tillsync-bridge' ),
			/* translators: %s: subject of a row */
			'showDetails'   => __( 'Show attempts of %s', 'tillsync-bridge' ),
			'details'       => __( 'Attempts', 'tillsync-bridge' ),
			'retry'         => __( 'Retry', 'tillsync-bridge' ),
			'retrySame'     => __( 'Retry all with this cause', 'tillsync-bridge' ),
			'sendNow'       => __( 'Send now', 'tillsync-bridge' ),
			'dismiss'       => __( 'Close', 'tillsync-bridge' ),
			'choose'        => __( 'Choose the customer', 'tillsync-bridge' ),
			/* translators: 1: what a button does, 2: subject of a row */
			'actionOf'      => __( '%1$s: %2$s', 'tillsync-bridge' ),
			/* translators: %s: subject of a row */
			'askDismiss'    => __( 'Close %s? It is not tried again by itself.', 'tillsync-bridge' ),
			/* translators: %s: number of entries */
			'askSame'       => __( '%s entries have this cause. Try all of them again?', 'tillsync-bridge' ),
			'noneSame'      => __( 'Nothing with this cause waits any more.', 'tillsync-bridge' ),
			'counting'      => __( 'Counting …', 'tillsync-bridge' ),
			'yes'           => __( 'Yes', 'tillsync-bridge' ),
			'cancel'        => __( 'Cancel', 'tillsync-bridge' ),
			/* translators: %s: number of entries */
			'retried'       => __( '%s run again.', 'tillsync-bridge' ),
			'dismissed'     => __( 'Closed.', 'tillsync-bridge' ),
			'unchanged'     => __( 'Nothing was changed.', 'tillsync-bridge' ),
			'loading'       => __( 'One moment …', 'tillsync-bridge' ),
			'empty'         => __( 'Nothing here.', 'tillsync-bridge' ),
			'emptyFound'    => __( 'Nothing was found.', 'tillsync-bridge' ),
			'next'          => __( 'Next page', 'tillsync-bridge' ),
			'previous'      => __( 'Previous page', 'tillsync-bridge' ),
			'pages'         => __( 'Pages', 'tillsync-bridge' ),
			'problem'       => __( 'Everything waits', 'tillsync-bridge' ),
			'unreached'     => __( 'The service was not reached. This page shows only what the shop has stored.', 'tillsync-bridge' ),
			'tryAgain'      => __( 'Try again', 'tillsync-bridge' ),
			'expired'       => __( 'Your session has expired. Reload the page and try again.', 'tillsync-bridge' ),
			'reload'        => __( 'Reload', 'tillsync-bridge' ),
			'failed'        => __( 'That did not work. Try again.', 'tillsync-bridge' ),
			'updatedAt'     => __( 'Up to date', 'tillsync-bridge' ),
			'chooseTitle'   => __( 'Which till customer is it?', 'tillsync-bridge' ),
			'chooseHelp'    => __( 'Compare the customers. One click links the shopper, and every held order of this person goes on.', 'tillsync-bridge' ),
			'chooseGuest'   => __( 'A guest cannot be linked: the customer you choose gets this order and the other held orders with the same email.', 'tillsync-bridge' ),
			'chooseNone'    => __( 'There are no candidates: search the till for the right customer.', 'tillsync-bridge' ),
			'name'          => __( 'Name', 'tillsync-bridge' ),
			'noName'        => __( 'without a name', 'tillsync-bridge' ),
			'email'         => __( 'Email', 'tillsync-bridge' ),
			'card'          => __( 'Card', 'tillsync-bridge' ),
			'points'        => __( 'Points', 'tillsync-bridge' ),
			'balance'       => __( 'Balance', 'tillsync-bridge' ),
			'since'         => __( 'Signed up', 'tillsync-bridge' ),
			'number'        => __( 'Till customer', 'tillsync-bridge' ),
			'thisOne'       => __( 'This one', 'tillsync-bridge' ),
			/* translators: 1: name of a customer, 2: number of a customer at the till */
			'thisOneLong'   => __( 'This one: %1$s, till customer %2$s', 'tillsync-bridge' ),
			'taken'         => __( 'Linked to another shopper', 'tillsync-bridge' ),
			'otherSearch'   => __( 'None of these? Search the till: number, email or name', 'tillsync-bridge' ),
			'noneFound'     => __( 'The till has no such customer.', 'tillsync-bridge' ),
			'more'          => __( 'There are more: make the search narrower.', 'tillsync-bridge' ),
			'close'         => __( 'Close', 'tillsync-bridge' ),
		);
	}
}
